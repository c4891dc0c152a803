"""How fast one worker process empties a queue of async jobs that do nothing, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.draining import drain_fresh
from tests.bench.plan import Plan, attempt
from tests.bench.results import Measure, Results, Target
from tests.bench.svg import Bars
from tests.bench.systems import (
    BARE,
    BEST_RIVAL,
    LEAN_ON_OURS,
    OUR_STATEMENTS,
    OURS,
    System,
    find_rival,
    pgbench_systems,
)

NAME = "drain"

MEASURES = (
    Measure("rate", "jobs/s"),
    Measure("worker", "us CPU/job", 1),
    Measure("server", "us CPU/job", 1),
    Measure("cpu", "us CPU/job", 1),
    Measure("statements", "per job", 3),
    Measure("transactions", "per job", 3),
    Measure("wal", "B/job"),
    Measure("memory", "MB", 1),
    Measure("others", "% of CPU"),
)
_NOTES = (
    "worker: the process with Python. server: all processes of PostgreSQL. cpu: both.",
    "others: what other programs took of the machine meanwhile; above 20 % trust the CPU, not the rate.",
    f"{OURS}: `soniq-sa worker` with default settings.",
    f"{BARE}: batches of 100 with prefetch on a lean table that keeps its rows; uvloop.",
    (
        f"{LEAN_ON_OURS}: the same loop and its statements on our table; {OUR_STATEMENTS}: all ours but "
        "the worker."
    ),
    "pgbench: claim and finish in turn, 100 jobs each, one client.",
    (
        "The rivals have the settings that were best for them; the slow ones get fewer jobs, which helps "
        "those that grow slower with the backlog."
    ),
)


def measure(plan: Plan) -> Results:
    """Empty a queue with each system in turn."""
    results = Results(NAME, _title(plan), MEASURES, _targets(plan), _NOTES)
    systems = [OURS, BARE, *plan.rivals, *pgbench_systems(), OUR_STATEMENTS, LEAN_ON_OURS]
    for system in plan.interleave(NAME, systems):
        attempt(results, system.name, lambda s=system: drain_fresh(plan, s, plan.jobs))  # type: ignore[misc]
    results.plots.append(_plot(results, systems))
    return results


def _title(plan: Plan) -> str:
    return f"{plan.jobs:,} waiting async jobs that do nothing, one worker process"


def _targets(plan: Plan) -> Sequence[Target]:
    ours, bare = OURS.name, BARE.name
    targets = [
        Target("drain: CPU per job of the bare loop", "cpu", ours, bare, most=2),
        Target("drain: rate of the bare loop (aim)", "rate", ours, bare, least=0.67),
        Target("WAL per job of the bare loop", "wal", ours, bare, most=1.3),
        Target("memory of the worker after the drain", "memory", ours, most=70),
    ]
    if best := find_rival(plan.rivals, BEST_RIVAL):
        rate = Target(f"drain: rate of {best}", "rate", ours, best.name, least=2.8)
        cost = Target(f"drain: CPU per job of {best}", "cpu", ours, best.name)
        return [rate, cost, *targets]
    return targets


def _plot(results: Results, systems: Sequence[System]) -> Bars:
    rows = {
        one.name: {
            "worker": results.value(one.name, "worker"),
            "server": results.value(one.name, "server"),
        }
        for one in systems
    }
    title = "CPU time of one job that does nothing (logarithmic)"
    return Bars("drain-cpu", title, "us", rows, logarithmic=True)
