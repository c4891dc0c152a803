"""How long a job waits: from the return of its commit to the start of its handler.

The producer is another process than the worker; both read the same monotonic clock. The first jobs are
not counted: they wait for connections and for the listener.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.cells import Cells, new_cells
from tests.bench.child import finished, running
from tests.bench.meter import Meter
from tests.bench.plan import Plan, attempt
from tests.bench.results import Figures, Measure, Results, Target, percentile, percentiles
from tests.bench.server import analyze
from tests.bench.svg import Lines
from tests.bench.systems import BARE, OURS, System

NAME = "pickup"
WARM_UP = 25
POLL_INTERVAL = "30"
"""Seconds; longer than a run, so that nothing is found by chance."""

MEASURES = (
    Measure("p50", "ms", 2),
    Measure("p95", "ms", 2),
    Measure("p99", "ms", 2),
    Measure("max", "ms", 2),
    Measure("worker", "us CPU/job"),
)
_NOTES = (
    f"{OURS}: session.enqueue and commit; the wake-up follows the commit on another connection.",
    f"{BARE}: INSERT and pg_notify in one statement; LISTEN and a lean claim.",
    "The rivals enqueue on a connection of their own, and notify inside the transaction.",
)


def measure(plan: Plan) -> Results:
    """Measure the wait with each system in turn."""
    jobs = 100 if plan.quick else 500
    title = f"an idle worker, a job every 20 ms, {jobs} a run"
    results = Results(NAME, title, MEASURES, _targets(plan), _NOTES)
    waits: dict[str, list[float]] = {}
    for system in plan.interleave(NAME, [OURS, BARE, *plan.rivals]):
        mine = waits.setdefault(system.name, [])
        attempt(results, system.name, lambda s=system, w=mine: _pick_up(plan, s, jobs, w))  # type: ignore[misc]
    results.plots.append(
        waiting_plot("pickup", "Commit to start of the handler, idle worker", waits)
    )
    return results


def _pick_up(plan: Plan, system: System, jobs: int, waits: list[float]) -> Figures:
    total = jobs + WARM_UP
    with plan.server.database() as url, new_cells(2 * total) as stamps:
        figures, found = run_producer(
            plan, system, url, stamps, producer=["produce"], warm_up=WARM_UP
        )
    waits += found
    return figures


def run_producer(
    plan: Plan,
    system: System,
    url: str,
    stamps: Cells,
    *,
    producer: Sequence[str],
    warm_up: int,
) -> tuple[Figures, list[float]]:
    """Run a worker and a producer; return percentiles and every wait, in milliseconds."""
    jobs = len(stamps) // 2
    finished(system.command("prepare", 0), url)
    analyze(url)
    poll = {"SONIQ_SA_POLL_INTERVAL": POLL_INTERVAL}
    with running(system.work(busy=len(producer) > 1), url, stamps, **poll) as worker:
        meter = Meter(plan.server, "", [worker.pid])
        with running(system.command(*producer), url, stamps) as enqueueing:
            worker.wait_for(lambda: stamps[0] > 0, f"the first job of {system}")
            before = meter.worker_cpu()
            enqueueing.wait()
        worker.wait_for(
            lambda: 0 not in list(stamps)[:jobs], f"the last job of {system}", every=0.05
        )
        cpu = meter.worker_cpu() - before
    every = list(stamps)
    waits = [
        (started - committed) / 1e6
        for started, committed in zip(every[warm_up:jobs], every[jobs + warm_up :], strict=True)
    ]
    return {**percentiles(waits), "worker": cpu / jobs * 1e6}, waits


def waiting_plot(name: str, title: str, waits: dict[str, list[float]]) -> Lines:
    """Return a plot of all percentiles."""
    series = {
        case: [(percent, percentile(values, percent)) for percent in range(1, 100)]
        for case, values in waits.items()
        if values
    }
    return Lines(name, title, "percent", "ms", series, logarithmic=True)


def _targets(plan: Plan) -> list[Target]:
    """Compare with each rival: no worse than the best of them is no worse than any."""
    return [
        *(
            Target(f"pickup {figure}, idle: that of {rival}", figure, OURS.name, rival.name, most=1)
            for figure in ("p50", "p99")
            for rival in plan.rivals
        ),
        Target(f"pickup p50, idle: that of {BARE}", "p50", OURS.name, BARE.name),
        Target(f"pickup p99, idle: that of {BARE}", "p99", OURS.name, BARE.name),
    ]
