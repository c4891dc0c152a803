"""The text of an env.py beside its syntax tree, and edits of it that leave the rest as it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

_NEWLINE = re.compile(r"\r\n|\r|\n")
_COMMENT = re.compile(r"#[^\r\n]*")
_WIDTH = 88


@dataclass(frozen=True, slots=True)
class Edit:
    """Put ``text`` in place of what stands between two offsets."""

    start: int
    end: int
    text: str


class Source:
    """A Python text that knows where its nodes stand."""

    def __init__(self, text: str) -> None:
        """Parse ``text``; raise SyntaxError or ValueError if it is no Python."""
        self.text = text
        self.tree = ast.parse(text)
        self._lines = [0, *(match.end() for match in _NEWLINE.finditer(text))]
        first = _NEWLINE.search(text)
        self.newline = first.group() if first else "\n"

    def edited(self, edits: Iterable[Edit]) -> str:
        """Return the text after all ``edits``, which do not overlap."""
        text = self.text
        for edit in sorted(edits, key=lambda one: (one.start, one.end), reverse=True):
            text = text[: edit.start] + edit.text + text[edit.end :]
        return text

    def start(self, node: Any) -> int:
        """Return the offset at which ``node`` starts."""
        return self._offset(node.lineno, node.col_offset)

    def end(self, node: Any) -> int:
        """Return the offset behind ``node``."""
        return self._offset(node.end_lineno, node.end_col_offset)

    def replace(self, node: ast.expr, text: str) -> Edit:
        """Return the edit that puts ``text`` in place of ``node``."""
        return Edit(self.start(node), self.end(node), text)

    def insert_line(self, line: int, text: str) -> Edit:
        """Return the edit that puts a line before ``line``, which counts from 1."""
        at = self._lines[line - 1] if line <= len(self._lines) else len(self.text)
        lacking = "" if self.text[:at].endswith(("\n", "\r")) or not at else self.newline
        return Edit(at, at, f"{lacking}{text}{self.newline}")

    def append(self, bracket: ast.expr, items: Sequence[ast.AST], text: str) -> list[Edit]:
        """Return the edits that add ``text`` as the last of the ``items`` inside a bracket.

        bracket: The node that ends with the closing bracket: a call, a list, a tuple.
        """
        close = self.end(bracket) - 1
        if not items:
            return [Edit(close, close, text)]
        last = max(items, key=self.end)
        tail = _Tail.read(self.text, self.end(last), close)
        if (
            self._line_start(close) > tail.end
            and not self.text[self._line_start(close) : close].strip()
        ):
            return self._own_line(tail, self._indentation(self.start(last)), close, text)
        if self._is_long(bracket, items, text):
            exploded = self._exploded(bracket, items, text)
            if exploded:
                return exploded
        between = ", "
        if self._line_start(self.start(last)) > self.start(bracket):
            between = f",{self.newline}{self._indentation(self.start(last))}"
        if tail.comma is not None:
            return [Edit(tail.comma, tail.comma + 1, f"{between}{text},")]
        return [Edit(tail.end, tail.end, f"{between}{text}")]

    def _own_line(self, tail: _Tail, indentation: str, close: int, text: str) -> list[Edit]:
        at = self._line_start(close)
        line = Edit(at, at, f"{indentation}{text},{self.newline}")
        return [line] if tail.comma is not None else [Edit(tail.end, tail.end, ","), line]

    def _is_long(self, bracket: ast.expr, items: Sequence[ast.AST], text: str) -> bool:
        start = self._line_start(self.start(bracket))
        one_line = bracket.lineno == bracket.end_lineno
        return one_line and bool(items) and self.end(bracket) - start + len(text) + 2 > _WIDTH

    def _exploded(self, bracket: ast.expr, items: Sequence[ast.AST], text: str) -> list[Edit]:
        """Give each item of a bracket on one line a line of its own."""
        outer = self._indentation(self.start(bracket))
        inner = outer + ("\t" if "\t" in outer else "    ")
        ordered = sorted(items, key=self.start)
        opening = self.text.rfind("(", 0, self.start(ordered[0]))
        close = self.end(bracket) - 1
        gaps = [
            (opening + 1, self.start(ordered[0]), ""),
            *((self.end(a), self.start(b), ",") for a, b in pairwise(ordered)),
            (self.end(ordered[-1]), close, ","),
        ]
        if any(
            self.text[start:end].strip() not in {separator, ""} for start, end, separator in gaps
        ):
            return []  # brackets around an item: leave the line as it is
        edits = [
            Edit(start, end, f"{separator}{self.newline}{inner}") for start, end, separator in gaps
        ]
        edits[-1] = Edit(
            edits[-1].start, close, f",{self.newline}{inner}{text},{self.newline}{outer}"
        )
        return edits

    def _indentation(self, offset: int) -> str:
        line = self.text[self._line_start(offset) : offset]
        return line[: len(line) - len(line.lstrip())]

    def _line_start(self, offset: int) -> int:
        return max(start for start in self._lines if start <= offset)

    def _offset(self, line: int, column: int) -> int:
        """Return the offset of a position as ast counts: columns are bytes of UTF-8."""
        start = self._lines[line - 1]
        return start + len(self.text[start : start + column].encode()[:column].decode())


@dataclass(frozen=True, slots=True)
class _Tail:
    """What stands between the last item and the closing bracket: brackets, a comma, comments."""

    end: int
    comma: int | None

    @classmethod
    def read(cls, text: str, start: int, close: int) -> _Tail:
        rest = _COMMENT.sub(lambda match: " " * len(match.group()), text[start:close])
        comma = rest.find(",")
        return cls(end=start + rest.rfind(")") + 1, comma=None if comma < 0 else start + comma)
