"""``python -m tests.bench``: measure, and print one table of figures a benchmark and one of ratios."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence

from tests.bench.drain import drain
from tests.bench.enqueue import enqueue
from tests.bench.imports import imports
from tests.bench.machine import describe
from tests.bench.pickup import pickup
from tests.bench.plan import RIVAL, Plan, progress
from tests.bench.report import as_json, show
from tests.bench.results import Results
from tests.bench.server import bench_server
from tests.bench.takeover import takeover

BENCHMARKS: dict[str, Callable[[Plan], Results]] = {
    "drain": drain,
    "pickup": pickup,
    "enqueue": enqueue,
    "takeover": takeover,
    "imports": imports,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what was asked for, on a PostgreSQL of its own."""
    options = _parser().parse_args(arguments)
    if not RIVAL:
        progress("PgQueuer is not installed, and is left out: pip install 'pgqueuer==1.6.*'")
    with bench_server() as server:
        progress(server.local.origin)
        plan = Plan(server, options.runs, options.jobs)
        machine = describe(server)
        every = [BENCHMARKS[name](plan) for name in options.only or BENCHMARKS]
    progress("")
    text = json.dumps(as_json(machine, every)) if options.json else show(machine, every)
    sys.stdout.write(text + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=list(BENCHMARKS), help="one benchmark; may be repeated"
    )
    parser.add_argument("--runs", type=_positive, default=5, help="runs of each (default: 5)")
    parser.add_argument(
        "--jobs",
        type=_positive,
        default=20_000,
        help="jobs to drain (default: 20000); a run enqueues half as many and picks up a hundredth",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, with what each run gave")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


if __name__ == "__main__":
    main()
