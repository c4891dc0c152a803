"""``python -m tests.bench``: measure, and print one table of figures a benchmark and one of targets."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench.benchmarks import (
    bulk,
    bursts,
    committers,
    crowded,
    drain,
    growth,
    handlers,
    idle,
    imports,
    million,
    pickup,
    profile,
    snapshot,
    takeover,
    transaction,
    workers,
)
from tests.bench.machine import describe
from tests.bench.plan import Plan, progress
from tests.bench.report import as_json, show, write_plots
from tests.bench.results import Results
from tests.bench.server import bench_server
from tests.bench.systems import RIVAL_NAMES, rivals

_MODULES = (
    drain,
    workers,
    handlers,
    growth,
    crowded,
    snapshot,
    million,
    transaction,
    bulk,
    committers,
    pickup,
    bursts,
    idle,
    takeover,
    imports,
    profile,
)
BENCHMARKS: dict[str, Callable[[Plan], Results]] = {one.NAME: one.measure for one in _MODULES}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what was asked for, on a PostgreSQL of its own; exit with 1 if something failed."""
    options = _parser().parse_args(arguments)
    beside = list(rivals(RIVAL_NAMES if options.rivals is None else options.rivals))
    with bench_server() as server:
        progress(server.local.origin, stays=True)
        plan = Plan(
            server,
            runs=options.runs or (1 if options.quick else 3),
            jobs=options.jobs or (5_000 if options.quick else 50_000),
            rows=options.rows or (50_000 if options.quick else 1_000_000),
            minutes=options.minutes or (0.2 if options.quick else 1),
            quick=options.quick,
            rivals=beside,
        )
        machine = describe(server)
        every = [BENCHMARKS[name](plan) for name in options.only or BENCHMARKS]
    progress("")
    text = json.dumps(as_json(machine, every)) if options.json else show(machine, every)
    sys.stdout.write(text + "\n")
    if options.plots:
        for file in write_plots(options.plots, every):
            progress(str(file), stays=True)
    sys.exit(any(results.failures for results in every))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    add = parser.add_argument
    add("--only", action="append", choices=list(BENCHMARKS), help="one benchmark; may be repeated")
    add("--quick", action="store_true", help="little of everything, in less than three minutes")
    add("--runs", type=_positive, help="runs of each system, in turn (default: 3)")
    add("--jobs", type=_positive, help="jobs to drain (default: 50000)")
    add(
        "--rows",
        type=_positive,
        help="rows that lie about in a table, and that go through one queue (default: 1000000)",
    )
    add(
        "--minutes",
        type=_minutes,
        help="how long a worker idles, and a snapshot is held open (default: 1)",
    )
    add(
        "--rivals",
        type=_names,
        metavar="NAME,...",
        help=f"only these of {','.join(RIVAL_NAMES)}; or none",
    )
    add("--json", action="store_true", help="print JSON, with what each run gave")
    add("--plots", type=Path, metavar="FOLDER", help="write SVG plots")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _minutes(text: str) -> float:
    number = float(text)
    if not 0 < number <= 60:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 60")
    return number


def _names(text: str) -> list[str]:
    names = [] if text == "none" else text.split(",")
    if unknown := set(names) - set(RIVAL_NAMES):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return names


if __name__ == "__main__":
    main()
