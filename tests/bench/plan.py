"""What was asked for on the command line, and what every benchmark gets."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tests.bench.child import BenchFailedError
from tests.bench.results import Figures, Results
from tests.bench.server import Server

if TYPE_CHECKING:
    from tests.bench.systems import System

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure, on which server, beside whom.

    runs: Of each system, in turn. jobs: To drain. rows: That lie about in a table, and that go through
    one queue. minutes: That a worker idles, and that a snapshot is held.
    """

    server: Server
    runs: int
    jobs: int
    rows: int
    minutes: float
    quick: bool
    rivals: Sequence[System]

    def interleave(
        self, benchmark: str, cases: Sequence[T], *, runs: int | None = None
    ) -> Iterator[T]:
        """Yield every case once a run, each run beginning with another one."""
        total = self.runs if runs is None else runs
        for run in range(total):
            first = run % len(cases)
            for case in [*cases[first:], *cases[:first]]:
                progress(f"{benchmark}: run {run + 1} of {total}: {case}")
                yield case


def attempt(results: Results, case: str, measure: Callable[[], Figures]) -> None:
    """Add one run of ``case``; note what went wrong with it, and go on."""
    try:
        results.add(case, measure())
    except BenchFailedError as error:
        results.failures.append(f"{case}: {error}")
        progress(f"{results.name}: {case} failed", stays=True)


def progress(text: str, *, stays: bool = False) -> None:
    """Say on stderr what is being done."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}" + ("\n" if stays else ""))
    else:
        sys.stderr.write(f"{text}\n" if text else "")
    sys.stderr.flush()
