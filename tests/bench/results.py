"""What was measured, and what is made of it.

Every run of a case gives one number per figure. The table shows the middle of the runs; a ratio is the
middle of the ratios of runs that stood beside each other, so that a machine that grows slower does not
turn into a difference between systems.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench.svg import Plot

Figures = Mapping[str, float]
"""The numbers of one run. NaN: not known here."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One column: a figure with its unit and its digits."""

    figure: str
    unit: str
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """One line of the table of targets: a figure of ``ours``, over the same of ``other`` if there is one.

    work: What has to be reached, for people. most and least: The bounds; without any it is reported.
    """

    work: str
    figure: str
    ours: str
    other: str | None = None
    most: float | None = None
    least: float | None = None

    @property
    def bound(self) -> str:
        """Return the bound as text."""
        if self.most is not None:
            return f"<= {self.most:g}"
        return f">= {self.least:g}" if self.least is not None else ""

    def met_by(self, value: float) -> bool | None:
        """Tell whether ``value`` is good enough; None where there is no bound."""
        if self.most is None and self.least is None:
            return None
        return (self.most is None or value <= self.most) and (
            self.least is None or value >= self.least
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, what was reached, and how far the runs lay apart."""

    target: Target
    value: float
    low: float
    high: float
    unit: str

    @property
    def met(self) -> bool | None:
        """Tell whether the target is met; None where there is none."""
        return self.target.met_by(self.value)


@dataclass(slots=True)
class Results:
    """All figures of one benchmark, by case."""

    name: str
    title: str
    measures: Sequence[Measure]
    targets: Sequence[Target] = ()
    notes: Sequence[str] = ()
    runs: dict[str, list[Figures]] = field(default_factory=dict)
    plots: list[Plot] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add(self, case: str, figures: Figures) -> None:
        """Take in what one run of ``case`` gave."""
        self.runs.setdefault(case, []).append(figures)

    def values(self, case: str, figure: str) -> list[float]:
        """Return a figure of every run, NaN where it is not known."""
        return [run.get(figure, math.nan) for run in self.runs.get(case, [])]

    def value(self, case: str, figure: str) -> float:
        """Return the middle of a figure, NaN if it was not measured."""
        return _middle(self.values(case, figure))

    def verdicts(self) -> Iterator[Verdict]:
        """Yield each line of the table of targets that was measured."""
        for target in self.targets:
            values = self._compared(target)
            known = [value for value in values if not math.isnan(value)]
            if known:
                unit = "" if target.other else self._measure(target.figure).unit
                yield Verdict(target, _middle(known), min(known), max(known), unit)

    def _measure(self, figure: str) -> Measure:
        return next(one for one in self.measures if one.figure == figure)

    def _compared(self, target: Target) -> list[float]:
        ours = self.values(target.ours, target.figure)
        if target.other is None:
            return ours
        others = self.values(target.other, target.figure)
        return [mine / theirs for mine, theirs in zip(ours, others, strict=False) if theirs > 0]


def _middle(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return statistics.median(known) if known else math.nan


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that so many percent of all do not exceed; NaN for no values."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    return ordered[min(len(ordered) - 1, math.ceil(percent / 100 * len(ordered)) - 1)]


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return what is told of waiting times."""
    return {
        "p50": percentile(values, 50),
        "p95": percentile(values, 95),
        "p99": percentile(values, 99),
        "max": max(values, default=math.nan),
    }
