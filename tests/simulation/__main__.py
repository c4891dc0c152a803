"""Runs seeds: ``python -m tests.simulation --seeds 10000 [--first K] [--jobs 2] [--trace]``.

A seed that fails tells its story, and the command that tells it again.
"""

# ruff: noqa: T201 - it is a command

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

from tests.simulation.telling import Told, tell_all

_SHOWN = 60
"""Lines of a failing story that are printed without ``--trace``."""


def main(arguments: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes")
    parser.add_argument("--trace", action="store_true", help="print the whole story")
    given = parser.parse_args(arguments)
    began, failed = time.monotonic(), 0
    every = list(_report(given))
    failed = sum(bool(told.wrong) for told in every)
    print(
        f"{len(every)} seeds from {given.first}, {failed} failed: "
        f"{sum(told.jobs for told in every)} jobs, {sum(told.faults for told in every)} faults, "
        f"{sum(told.seconds for told in every) / 3600:.1f} virtual hours "
        f"in {time.monotonic() - began:.0f} s"
    )
    return int(bool(failed))


def _report(given: argparse.Namespace) -> Iterator[Told]:
    for told in tell_all(range(given.first, given.first + given.seeds), given.jobs):
        if told.wrong or given.trace:
            print("\n".join(told.trace if given.trace else told.trace[-_SHOWN:]), flush=True)
            print(f"seed {told.seed}: {told.wrong or told.digest}")
            print(f"replay: python -m tests.simulation --first {told.seed} --seeds 1 --trace\n")
        yield told


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
