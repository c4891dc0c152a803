"""``python -m tests.faults.schedules``: play random schedules of faults, and say what came of them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.faults.schedules.lanes import lanes_of
from tests.faults.schedules.report import Summary


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what was asked for; return 1 if anything was found."""
    options = _parser().parse_args(arguments)
    seeds = options.seed or range(options.first, options.first + options.seeds)
    results = []
    with lanes_of(min(options.lanes, len(seeds))) as lanes:
        played = [lanes.play({"seed": seed, "pooled": options.pooled}) for seed in seeds]
        for future in played:
            results.append(future.result())
            print(results[-1].line, file=sys.stderr, flush=True)  # noqa: T201 - a command
    summary = Summary(results)
    totals = json.dumps(summary.as_json(), indent=2) + "\n"
    if options.json not in {None, "-"}:
        Path(options.json).write_text(totals)
    print(totals if options.json == "-" else summary.table())  # noqa: T201 - a command
    return 0 if summary.clean else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.schedules", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many schedules (200)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--seed", type=int, action="append", help="only this one; may be repeated")
    parser.add_argument("--lanes", type=int, default=2, help="how many at the same time (2)")
    parser.add_argument(
        "--pooled", action="store_true", help="with PgBouncer in front of half of the workers"
    )
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="write all as JSON; without FILE, print it",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
