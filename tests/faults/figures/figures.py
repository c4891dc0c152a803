"""What is measured of a fault, and what must hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.bench.results import percentile
from tests.faults.figures.plan import Plan
from tests.faults.figures.samples import Samples
from tests.faults.figures.system import System


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    what: For people. sample: Of which numbers. percent: The percentile that counts; 100: the worst.
    most, least: What must hold; without either, it is only told.
    """

    what: str
    sample: str
    unit: str = ""
    most: float | None = None
    least: float | None = None
    percent: float = 100
    digits: int = 0

    @property
    def must(self) -> str:
        """Return the bound as text."""
        unit = f" {self.unit}" if self.unit else ""
        if self.most is not None:
            return f"{'<= ' if self.most else ''}{self.most:g}{unit}"
        return f">= {self.least:g}{unit}" if self.least is not None else ""

    def value(self, samples: Samples) -> float:
        """Return the percentile of the runs; NaN if nothing was measured."""
        known = [one for one in samples.get(self.sample, ()) if not math.isnan(one)]
        if not known:
            return math.nan
        return min(known) if self.least is not None else percentile(known, self.percent)

    def met(self, value: float) -> bool | None:
        """Tell whether a value is good enough; None where there is no bound, or no value."""
        if math.isnan(value) or (self.most is None and self.least is None):
            return None
        return (self.most is None or value <= self.most) and (
            self.least is None or value >= self.least
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its name on the command line, its title, its figures, and how it is measured."""

    name: str
    title: str
    figures: Sequence[Figure]
    measure: Callable[[Plan, System], Samples]


@dataclass(slots=True)
class Measured:
    """A fault, and what each system did."""

    fault: Fault
    samples: dict[str, Samples] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
