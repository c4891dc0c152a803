"""What was asked for on the command line, and what every benchmark gets."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TypeVar

from tests.bench.server import Server

System = TypeVar("System")

RIVAL = find_spec("pgqueuer") is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure, and on which server."""

    server: Server
    runs: int
    jobs: int

    def interleave(self, benchmark: str, systems: Sequence[System]) -> Iterator[System]:
        """Yield every system once a run, each run beginning with another one."""
        for run in range(self.runs):
            first = run % len(systems)
            for system in [*systems[first:], *systems[:first]]:
                progress(f"{benchmark}: run {run + 1} of {self.runs}: {system}")
                yield system


def progress(text: str) -> None:
    """Say on stderr what is being done."""
    sys.stderr.write(f"\r\x1b[K{text}" if sys.stderr.isatty() else f"{text}\n")
    sys.stderr.flush()
