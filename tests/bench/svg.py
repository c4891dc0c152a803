"""Plots as SVG, written by hand: bars beside each other, and lines over time.

A line here and there needs no library; what it draws fits light and dark pages alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH = 720
_LEFT = 290
_RIGHT = 90
_BAR = 20
_GAP = 8
_TOP = 44
_HEIGHT = 260
_A_LINE = 3
_COLOURS = ("#3572b0", "#d9822b", "#4f9d5d", "#b04a5a", "#7d6bb3", "#8a8a8a", "#2aa1a1")
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#555}"
    ".title{font-weight:600;font-size:15px}.grid{stroke:#8884}"
    "@media(prefers-color-scheme:dark){text{fill:#bbb}}"
)


@dataclass(frozen=True, slots=True)
class Bars:
    """One bar a case, made of parts. A logarithmic scale shows the sum of the parts alone."""

    name: str
    title: str
    unit: str
    rows: Mapping[str, Mapping[str, float]]
    logarithmic: bool = False

    def svg(self) -> str:
        """Return the drawing."""
        rows = {name: parts for name, parts in self.rows.items() if _known(parts.values())}
        parts = list(dict.fromkeys(part for row in rows.values() for part in row))
        if self.logarithmic:
            rows, parts = {name: {"": sum(row.values())} for name, row in rows.items()}, [""]
        bottom = _TOP + len(rows) * (_BAR + _GAP) + 8
        body = [*self._bars(rows, parts), *_legend(parts, bottom)]
        return _drawing(bottom + _legend_height(parts), self.title, body)

    def _bars(self, rows: Mapping[str, Mapping[str, float]], parts: Sequence[str]) -> Iterator[str]:
        room = _WIDTH - _LEFT - _RIGHT
        place = _scale(
            [sum(row.values()) for row in rows.values()], room, logarithmic=self.logarithmic
        )
        for number, (name, row) in enumerate(rows.items()):
            top = _TOP + number * (_BAR + _GAP)
            yield _text(_LEFT - 8, top + 15, name, anchor="end")
            begin = 0.0
            for part, value in row.items():
                x, end = place(begin) if begin else 0.0, place(begin + value)
                colour = _COLOURS[parts.index(part)]
                yield (
                    f'<rect x="{_LEFT + x:.1f}" y="{top}" width="{max(1.0, end - x):.1f}" '
                    f'height="{_BAR}" fill="{colour}"/>'
                )
                begin += value
            yield _text(_LEFT + place(begin) + 6, top + 15, f"{_short(begin)} {self.unit}")


@dataclass(frozen=True, slots=True)
class Lines:
    """One line a case, through points (x, y)."""

    name: str
    title: str
    x_unit: str
    y_unit: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    logarithmic: bool = False

    def svg(self) -> str:
        """Return the drawing."""
        series = {name: points for name, points in self.series.items() if len(points) > 1}
        bottom = _TOP + _HEIGHT + 36
        body = [*(self._lines(series) if series else []), *_legend(list(series), bottom)]
        return _drawing(bottom + _legend_height(list(series)), self.title, body)

    def _lines(self, series: Mapping[str, Sequence[tuple[float, float]]]) -> Iterator[str]:
        every = [point for points in series.values() for point in points]
        left, room = 70, _WIDTH - 70 - 30
        highest = max(y for _, y in every)
        across = _scale([x for x, _ in every], room)
        up = _scale([y for _, y in every], _HEIGHT, logarithmic=self.logarithmic)
        bottom = _TOP + _HEIGHT
        for mark in _marks([y for _, y in every], logarithmic=self.logarithmic):
            y = bottom - up(mark)
            yield f'<line class="grid" x1="{left}" x2="{left + room}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield _text(left - 6, y + 4, _short(mark), anchor="end")
        for number, points in enumerate(series.values()):
            path = " ".join(f"{left + across(x):.1f},{bottom - up(y):.1f}" for x, y in points)
            colour = _COLOURS[number % len(_COLOURS)]
            yield f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>'
        longest = max(x for x, _ in every)
        yield _text(left + room, bottom + 18, f"{_short(longest)} {self.x_unit}", anchor="end")
        yield _text(left, bottom + 18, f"0 {self.x_unit}")
        yield _text(left, _TOP - 8, f"{self.y_unit}, at most {_short(highest)}")


Plot = Bars | Lines


def _drawing(height: float, title: str, body: Sequence[str]) -> str:
    return "\n".join([
        (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" role="img" '
        f'aria-label="{escape(title)}">'),
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="8" y="20">{escape(title)}</text>',
        *body,
        "</svg>\n",
    ])  # fmt: skip


def _legend(names: Sequence[str], bottom: float) -> Iterator[str]:
    """Draw the names below ``bottom``, three a line."""
    for number, name in enumerate(filter(None, names)):
        x, y = 8 + number % _A_LINE * _WIDTH / _A_LINE, bottom + number // _A_LINE * 20
        colour = _COLOURS[number % len(_COLOURS)]
        yield f'<rect x="{x:.0f}" y="{y:g}" width="12" height="12" fill="{colour}"/>'
        yield _text(x + 18, y + 11, name)


def _legend_height(names: Sequence[str]) -> float:
    return 20 * math.ceil(len(list(filter(None, names))) / _A_LINE) + 8


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _scale(values: Sequence[float], room: float, *, logarithmic: bool = False) -> Scale:
    return Scale(min(values, default=1.0), max(values, default=1.0) or 1.0, room, logarithmic)


@dataclass(frozen=True, slots=True)
class Scale:
    """Turns values into lengths; a logarithmic one begins at half of the smallest value."""

    low: float
    high: float
    room: float
    logarithmic: bool

    def __call__(self, value: float) -> float:
        if not self.logarithmic:
            return value / self.high * self.room
        begin = max(self.low, self.high / 1e4) / 2
        return (
            max(0.0, math.log(max(value, begin) / begin) / math.log(self.high / begin)) * self.room
        )


def _marks(values: Sequence[float], *, logarithmic: bool) -> list[float]:
    high = max(values)
    if not logarithmic:
        return [high * part / 4 for part in range(1, 5)]
    low = max(min(values), high / 1e4)
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    return [10.0**power for power in powers] or [high]


def _known(values: object) -> bool:
    return not any(math.isnan(value) for value in values)  # type: ignore[attr-defined]


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
