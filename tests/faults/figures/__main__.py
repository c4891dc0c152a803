"""``python -m tests.faults.figures``: make faults, measure what each system does, and print one table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from tests.bench.child import BenchFailedError
from tests.bench.machine import describe
from tests.bench.plan import progress
from tests.bench.server import bench_server
from tests.faults.figures.figures import Fault, Measured
from tests.faults.figures.measures import (
    blocked,
    draining,
    hostile,
    killed,
    listening,
    poisoned,
    restarted,
    stopped,
)
from tests.faults.figures.plan import Plan
from tests.faults.figures.report import as_json, show
from tests.faults.figures.system import NAMES, System, systems

FAULTS: dict[str, Fault] = {
    one.name: one
    for one in (
        killed.KILLED,
        killed.HOST_LOST,
        restarted.RESTARTED,
        listening.TERMINATED,
        listening.HALF_OPEN,
        blocked.BLOCKED,
        blocked.GIL_HELD,
        *draining.FAULTS,
        poisoned.POISONED,
        stopped.STOPPED,
        hostile.HOSTILE,
    )
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what was asked for, on PostgreSQL servers of its own; exit with 1 if we miss anything."""
    options = _parser().parse_args(arguments)
    chosen = list(systems(options.systems))
    with bench_server() as server:
        progress(server.local.origin, stays=True)
        plan = Plan(server, options.runs, options.deadline)
        machine = describe(server)
        every = [_measure(plan, FAULTS[name], chosen) for name in options.only or FAULTS]
    progress("")
    if options.json:
        text = json.dumps(as_json(machine, every, options.deadline))
    else:
        text = show(machine, every, options.deadline)
    sys.stdout.write(text + "\n")
    sys.exit(any(one.failures or _is_missed(one) for one in every))


def _measure(plan: Plan, fault: Fault, chosen: Sequence[System]) -> Measured:
    measured = Measured(fault)
    for system in chosen:
        progress(f"{fault.name}: {system}")
        try:
            measured.samples[system.name] = fault.measure(plan, system)
        except BenchFailedError as error:
            measured.failures.append(f"{system}: {error}")
            progress(f"{fault.name}: {system} failed", stays=True)
    return measured


def _is_missed(measured: Measured) -> bool:
    """Tell whether soniq-sa misses a bound."""
    ours = measured.samples.get("soniq-sa", {})
    return any(figure.met(figure.value(ours)) is False for figure in measured.fault.figures)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.faults.figures", description=__doc__)
    add = parser.add_argument
    add("--only", action="append", choices=list(FAULTS), help="one fault; may be repeated")
    add("--systems", type=_names, default=list(NAMES), metavar="NAME,...", help=",".join(NAMES))
    add("--runs", type=_positive, help="runs of each fault with each system")
    add("--deadline", type=float, default=120.0, help="seconds for what may never happen (120)")
    add("--json", action="store_true", help="print JSON, with what each run gave")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(NAMES):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return names


if __name__ == "__main__":
    main()
