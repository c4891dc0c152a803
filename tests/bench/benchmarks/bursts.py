"""How long jobs wait that arrive in bursts: 7,000 a second, ten times a second."""

from __future__ import annotations

from tests.bench.benchmarks.pickup import MEASURES, run_producer, waiting_plot
from tests.bench.cells import new_cells
from tests.bench.plan import Plan, attempt
from tests.bench.results import Figures, Results, Target
from tests.bench.systems import BARE, OURS, System

NAME = "bursts"
A_TENTH = 700
"""Jobs that are committed together."""

_NOTES = (
    (
        f"{A_TENTH} jobs in one transaction ({OURS}: enqueue_many), ten times a second. The last of a "
        "burst waits for all the others, so the size of a burst over the rate of draining is what is left."
    ),
    "Only systems that can take so many a second are here.",
)


def measure(plan: Plan) -> Results:
    """Measure the waits with each system in turn."""
    seconds = 2 if plan.quick else 5
    title = f"7,000 jobs a second in bursts, {seconds} s a run"
    systems = [OURS, BARE, *(rival for rival in plan.rivals if rival.bursts)]
    results = Results(NAME, title, MEASURES, _targets(systems), _NOTES)
    waits: dict[str, list[float]] = {}
    for system in plan.interleave(NAME, systems):
        mine = waits.setdefault(system.name, [])
        attempt(results, system.name, lambda s=system, w=mine: _burst(plan, s, seconds, w))  # type: ignore[misc]
    results.plots.append(waiting_plot("bursts", "Commit to start of the handler, bursts", waits))
    return results


def _burst(plan: Plan, system: System, seconds: int, waits: list[float]) -> Figures:
    jobs = A_TENTH * (10 * seconds + 1)
    with plan.server.database() as url, new_cells(2 * jobs) as stamps:
        figures, found = run_producer(
            plan, system, url, stamps, producer=["burst", str(A_TENTH)], warm_up=A_TENTH
        )
    waits += found
    return figures


def _targets(systems: list[System]) -> list[Target]:
    ours, others = OURS.name, [one.name for one in systems if one is not OURS]
    return [
        Target("pickup p99, 7,000 jobs/s in bursts", "p99", ours, most=25),
        *(Target(f"pickup p99, bursts: that of {one}", "p99", ours, one) for one in others),
    ]
