"""What programs read of a command."""

from __future__ import annotations

import json

import typer


def write_json(document: object) -> None:
    """Write one JSON document."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
