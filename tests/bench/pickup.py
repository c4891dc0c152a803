"""How long a job waits for an idle worker: from the return of its commit to the handler's start.

The producer is another process and commits a job every 20 ms. Both processes read the same monotonic
clock. The first jobs are not counted: they wait for connections and for the listener.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench.cells import Cells, new_cells
from tests.bench.child import SONIQ_WORKER, running
from tests.bench.meter import Figures
from tests.bench.plan import RIVAL, Plan
from tests.bench.preparing import prepare_jobs
from tests.bench.results import Measure, Ratio, Results, percentile

NAME = "pickup"
WARM_UP = 25
POLL_INTERVAL = "30"

_OURS = "soniq-sa"
_RIVAL = "PgQueuer"
_BARE = "asyncpg, LISTEN"


@dataclass(frozen=True, slots=True)
class PickingSystem:
    """A worker process, and the process that enqueues for it."""

    name: str
    worker: Sequence[str]
    producer: str
    prepare: Callable[[str, int], None]

    def __str__(self) -> str:
        return self.name


def pickup(plan: Plan) -> Results:
    """Measure the wait with each system in turn."""
    jobs = max(20, plan.jobs // 100)
    title = (
        f"pickup by an idle worker (polls every {POLL_INTERVAL} s), {jobs} jobs a run, 20 ms apart"
    )
    results = Results(NAME, title, _MEASURES, _RATIOS, _NOTES)
    for system in plan.interleave(NAME, _systems()):
        results.add(system.name, _pick_up(plan, system, jobs + WARM_UP))
    return results


def _systems() -> list[PickingSystem]:
    bare = ("tests.bench.processes.listening",)
    found = [
        PickingSystem(_OURS, SONIQ_WORKER, "soniq", prepare_jobs),
        PickingSystem(_BARE, bare, "bare", prepare_jobs),
    ]
    if RIVAL:
        from tests.bench.rival import prepare_rival

        worker = ("tests.bench.processes.pgqueuer_worker", "10")
        found.append(PickingSystem(_RIVAL, worker, "pgqueuer", prepare_rival))
    return found


def _pick_up(plan: Plan, system: PickingSystem, jobs: int) -> Figures:
    poll = {"SONIQ_SA_POLL_INTERVAL": POLL_INTERVAL}
    producer = ("tests.bench.processes.producer", system.producer)
    with plan.server.database() as url, new_cells(2 * jobs) as stamps:
        system.prepare(url, 0)
        with running(system.worker, url, stamps, **poll) as worker:
            with running(producer, url, stamps) as enqueueing:
                enqueueing.wait()
            worker.wait_for(lambda: stamps[jobs - 1] > 0, "the last job")
        return {"wait": _waits(stamps, jobs)}


def _waits(stamps: Cells, jobs: int) -> list[float]:
    """Return milliseconds. Handlers note their start in the first half, the producer in the second."""
    return [(stamps[job] - stamps[jobs + job]) / 1e6 for job in range(WARM_UP, jobs)]


_MEASURES = tuple(
    Measure(name, "wait", "ms", 2, reduce)
    for name, reduce in (
        ("p50", percentile(50)),
        ("p95", percentile(95)),
        ("p99", percentile(99)),
        ("max", max),
    )
)
_RATIOS = (
    Ratio("p50", _OURS, most=3),
    Ratio("p99", _OURS, most=10),
    Ratio("p50", _OURS, _RIVAL),
    Ratio("p99", _OURS, _RIVAL),
    Ratio("p50", _OURS, _BARE),
    Ratio("p99", _OURS, _BARE),
)
_NOTES = (
    f"{_OURS}: session.enqueue and commit; the wake-up follows the commit on another connection.",
    f"{_BARE}: INSERT and pg_notify in one transaction; LISTEN and a lean claim.",
    f"{_RIVAL}: Queries.enqueue on an asyncpg connection; its trigger notifies.",
)
