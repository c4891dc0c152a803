"""What commands write."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap

import typer

_NARROWEST = 40


def write_json(document: object) -> None:
    """Write one JSON document."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: ``1 job``, ``2 jobs``."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def hanging(text: str, indent: int) -> str:
    """Return a text that begins in column ``indent`` as lines that fit the terminal; else as one line."""
    if not sys.stdout.isatty():
        return text
    width = max(shutil.get_terminal_size().columns - indent, _NARROWEST)
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * indent}".join(lines)
