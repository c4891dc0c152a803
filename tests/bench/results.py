"""What was measured, and what is made of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tests.bench.meter import Figures

Reduce = Callable[[Sequence[float]], float]


@dataclass(frozen=True, slots=True)
class Measure:
    """One column: ``reduce`` makes one number of what all runs put into the figure ``source``."""

    name: str
    source: str
    unit: str
    digits: int = 0
    reduce: Reduce = statistics.median


@dataclass(frozen=True, slots=True)
class Ratio:
    """One line of the table of ratios: a measure of ``ours`` over the same of ``other``.

    Without ``other`` the measure itself is compared. ``most`` and ``least`` are the targets.
    """

    measure: str
    ours: str
    other: str | None = None
    most: float | None = None
    least: float | None = None


@dataclass(slots=True)
class Results:
    """All figures of one benchmark, by system."""

    name: str
    title: str
    measures: Sequence[Measure]
    ratios: Sequence[Ratio]
    notes: Sequence[str] = ()
    figures: dict[str, Figures] = field(default_factory=dict)

    def add(self, system: str, figures: Figures) -> None:
        """Take in what one run of ``system`` gave."""
        mine = self.figures.setdefault(system, {})
        for source, values in figures.items():
            known = [value for value in values if not math.isnan(value)]
            mine.setdefault(source, []).extend(known)

    def value(self, system: str, measure: str) -> float:
        """Return a measure of ``system``, NaN if it was not measured."""
        one = next(one for one in self.measures if one.name == measure)
        values = self.figures.get(system, {}).get(one.source, [])
        return one.reduce(values) if values else math.nan

    def compare(self) -> Iterable[tuple[Ratio, float, bool | None]]:
        """Yield each line of the table of ratios: what, how much, and whether it meets its target."""
        for ratio in self.ratios:
            value = self.value(ratio.ours, ratio.measure)
            if ratio.other is not None:
                value /= self.value(ratio.other, ratio.measure) or math.nan
            if not math.isnan(value):
                yield ratio, value, _meets(ratio, value)


def _meets(ratio: Ratio, value: float) -> bool | None:
    if ratio.most is None and ratio.least is None:
        return None
    return (ratio.most is None or value <= ratio.most) and (
        ratio.least is None or value >= ratio.least
    )


def percentile(percent: float) -> Reduce:
    """Return what picks the value below which ``percent`` of all values lie."""

    def pick(values: Sequence[float]) -> float:
        ordered = sorted(values)
        return ordered[min(len(ordered) - 1, math.ceil(percent / 100 * len(ordered)) - 1)]

    return pick
