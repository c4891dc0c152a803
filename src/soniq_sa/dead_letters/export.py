"""Dead letters as text that other programs read."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import fields
from datetime import date, datetime, time
from typing import Any, Literal, Protocol, get_args

from soniq_sa.dead_letters.letter import DeadLetter
from soniq_sa.errors import OptionError

ExportFormat = Literal["csv", "json"]

NAMES = tuple(one.name for one in fields(DeadLetter) if one.name != "columns")


class ExportText(Protocol):
    """Write dead letters one by one."""

    def head(self) -> str:
        """Return what comes first."""
        ...

    def letter(self, letter: DeadLetter) -> str:
        """Return one dead letter."""
        ...

    def tail(self) -> str:
        """Return what comes last."""
        ...


def text_of(form: str, columns: Sequence[str]) -> ExportText:
    """Return what writes ``form``; ``columns`` are those of the user."""
    if form == "csv":
        return _Csv(columns)
    if form == "json":
        return _Json()
    raise OptionError(
        f"Dead letters cannot be exported as {form!r}. The formats are: "
        f"{', '.join(get_args(ExportFormat))}."
    )


class _Json:
    """One array, one object a line."""

    def __init__(self) -> None:
        self._begun = False

    def head(self) -> str:
        return "["

    def letter(self, letter: DeadLetter) -> str:
        comma = "," if self._begun else ""
        self._begun = True
        return f"{comma}\n{json.dumps(document_of(letter), ensure_ascii=False)}"

    def tail(self) -> str:
        return "\n]\n" if self._begun else "]\n"


class _Csv:
    """RFC 4180, with a line of names; what is no text, number or time is JSON within its cell."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns

    def head(self) -> str:
        return _line([*NAMES, *self._columns])

    def letter(self, letter: DeadLetter) -> str:
        values = document_of(letter)
        own = values.pop("columns")
        args = json.dumps(values.pop("args"), ensure_ascii=False)
        cells = {**values, "args": args}
        return _line([_cell(one) for one in (*map(cells.get, NAMES), *map(own.get, self._columns))])

    def tail(self) -> str:
        return ""


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else value


def _line(cells: Sequence[Any]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()


def document_of(letter: DeadLetter) -> dict[str, Any]:
    """Return a dead letter as values that JSON has."""
    return {one.name: plain(getattr(letter, one.name)) for one in fields(letter)}


def plain(value: Any) -> Any:  # noqa: PLR0911 - one case a type
    """Return ``value`` as JSON has it; as a text, if JSON has nothing like it."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case dict():
            return {str(name): plain(one) for name, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(one) for one in value]
        case datetime() | date() | time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case _:
            return str(value)
