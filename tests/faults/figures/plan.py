"""What was asked for on the command line, and what every measurement gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tests.bench.server import Server
from tests.faults.figures.samples import Samples, repeated
from tests.faults.figures.stage import Stage, stage
from tests.faults.figures.system import System


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to measure, and how much.

    runs: Of each fault with each system; None: as many as the fault takes by default. deadline: Seconds
    that a system gets for what has no end otherwise.
    """

    server: Server
    runs: int | None
    deadline: float

    def runs_of(self, system: System, ours: int, theirs: int = 1) -> range:
        """Return the numbers of the runs."""
        return range(self.runs or (ours if system.is_ours else theirs))

    def repeat(
        self,
        system: System,
        once: Callable[[Stage], Mapping[str, float]],
        *,
        ours: int,
        theirs: int = 1,
    ) -> Samples:
        """Measure again and again, each time on a stage of its own, and return what all runs give."""

        def on_a_stage() -> Mapping[str, float]:
            with self.stage(system) as stage:
                return once(stage)

        return repeated(self.runs_of(system, ours, theirs), on_a_stage)

    @contextmanager
    def stage(self, system: System) -> Iterator[Stage]:
        """Yield a stage in a new database."""
        with self.server.database() as url, stage(system, url) as made:
            yield made
