"""The tables of options that are written as a ``TypedDict``."""

from __future__ import annotations

import re
from typing import Any

from docs.src.reference.docstring import read_docstring
from docs.src.reference.type_words import hints_of, type_words

_DEFAULT = re.compile(r"Default:? ((?:`[^`]*`|[^.;`]|\.(?=\d))+)[.;] ?")
_TAKES_COLUMN, _DEFAULT_COLUMN = 1, 2
_READ = re.compile(
    r"[,;]? ?\bread (at enqueue(?: and at run time)?|at run time|when [^.;,]+)", re.IGNORECASE
)


def option_table(options: Any) -> str:
    """Return the options with what each takes, its default, when it is read, and what it means.

    Where no docstring names a default, or the time of reading, there is no such column.
    """
    entries = read_docstring(options).entries
    rows = [
        [f"`{name}`", type_words(hint), *said(entries.get(name, ""))]
        for name, hint in hints_of(options).items()
    ]
    if any(row[_DEFAULT_COLUMN] for row in rows):
        for row in rows:
            row[_DEFAULT_COLUMN] = row[_DEFAULT_COLUMN] or _unsaid(row[_TAKES_COLUMN])
    return table(["option", "takes", "default", "read", "meaning"], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table, without the columns that are empty."""
    kept = [place for place in range(len(head)) if any(row[place] for row in rows)]
    lines = [[row[place] for place in kept] for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def said(meaning: str) -> tuple[str, str, str]:
    """Return the default and the time of reading that a text names, and the rest of it."""
    read, meaning = split_read(meaning)
    default, meaning = split_default(meaning)
    return default, read, meaning.strip()


def split_default(meaning: str) -> tuple[str, str]:
    """Return the default that a text names ("Default 5." or "Default: none."), and the rest."""
    found = _DEFAULT.search(meaning)
    if not found:
        return "", meaning
    before, after = meaning[: found.start()], meaning[found.end() :]
    return found[1], (before + after[:1].upper() + after[1:]).strip()


def split_read(meaning: str) -> tuple[str, str]:
    """Return when an option is read, as a text says ("read at enqueue"), and the rest."""
    found = _READ.search(meaning)
    if not found:
        return "", meaning
    before, after = meaning[: found.start()], meaning[found.end() :]
    return found[1], (before + after.removeprefix(".") if before.endswith(".") else before + after)


def _unsaid(takes: str) -> str:
    return "`None`" if "`None`" in takes else ""
