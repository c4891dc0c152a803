"""How fast one worker process empties a queue of jobs that do nothing, and what that costs.

The clock starts at a barrier that is the same for all: the job table is locked before the worker
starts, and the lock is released when the worker's first claim waits for it. So imports, connecting
and everything else of the start are over. The clock stops when no job is unfinished in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from tests.bench.cells import new_cells
from tests.bench.child import SONIQ_WORKER, Child, running
from tests.bench.meter import Figures, Meter, cost_per_job
from tests.bench.plan import RIVAL, Plan
from tests.bench.preparing import prepare_jobs
from tests.bench.results import Measure, Ratio, Results

NAME = "drain"

_OURS = "soniq-sa"
_RIVAL = "PgQueuer"
_SAME = "asyncpg, our statements"
_LEAN = "asyncpg, lean"


@dataclass(frozen=True, slots=True)
class DrainedSystem:
    """Something that empties a queue. ``unfinished`` asks whether it still has to."""

    name: str
    module: Sequence[str]
    prepare: Callable[[str, int], None]
    table: str
    unfinished: str

    def __str__(self) -> str:
        return self.name


def drain(plan: Plan) -> Results:
    """Empty a queue with each system in turn."""
    results = Results(NAME, _title(plan), _MEASURES, _RATIOS, _NOTES)
    for system in plan.interleave(NAME, _systems()):
        results.add(system.name, _drain_once(plan, system))
    return results


def _systems() -> list[DrainedSystem]:
    ours = "SELECT EXISTS (SELECT FROM soniq_jobs WHERE state <> 'done')"
    found = [
        DrainedSystem(name, module, prepare_jobs, "soniq_jobs", ours)
        for name, module in (
            (_OURS, SONIQ_WORKER),
            (_SAME, ("tests.bench.processes.same_statements",)),
            (_LEAN, ("tests.bench.processes.lean",)),
        )
    ]
    if RIVAL:
        from tests.bench.rival import prepare_rival

        module = ("tests.bench.processes.pgqueuer_worker", "500")
        theirs = "SELECT EXISTS (SELECT FROM pgqueuer)"
        found.append(DrainedSystem(_RIVAL, module, prepare_rival, "pgqueuer", theirs))
    return found


def _drain_once(plan: Plan, system: DrainedSystem) -> Figures:
    with plan.server.database() as url, new_cells(1) as ran:
        system.prepare(url, plan.jobs)
        with (
            psycopg.connect(url, autocommit=True) as watcher,
            _closed_gate(url, system.table) as gate,
            running(system.module, url, ran) as worker,
        ):
            _await_claim(plan, worker, watcher.info.dbname)
            meter = Meter(plan.server, watcher.info.dbname, worker.pid)
            before = meter.read()
            gate.commit()
            worker.wait_for(lambda: ran[0] >= plan.jobs, f"{plan.jobs} jobs")
            looks = _await_finish(worker, watcher, system)
            after = meter.read()
    return cost_per_job(before, after, plan.jobs, own_statements=looks + 1)


@contextmanager
def _closed_gate(url: str, table: str) -> Iterator[psycopg.Connection]:
    """Yield a connection that locks everybody out of ``table`` until it commits."""
    with psycopg.connect(url) as gate:
        gate.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield gate


def _await_claim(plan: Plan, worker: Child, database: str) -> None:
    """Wait until the worker's first claim waits for the lock."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
        " AND query LIKE '%%SKIP LOCKED%%'"
    )
    worker.wait_for(lambda: plan.server.ask(waiting, database) > (0,), "a claim", every=0.02)


def _await_finish(worker: Child, watcher: psycopg.Connection, system: DrainedSystem) -> int:
    """Wait until the end of every job is committed; return how often the table was looked at."""
    looks = 0

    def finished() -> bool:
        nonlocal looks
        looks += 1
        return watcher.execute(system.unfinished.encode()).fetchone() == (False,)

    worker.wait_for(finished, "the end of every job", every=0.002)
    return looks


def _title(plan: Plan) -> str:
    return f"drain {plan.jobs:,} waiting no-op jobs, one worker process"


_MEASURES = (
    Measure("rate", "rate", "jobs/s"),
    Measure("best rate", "rate", "jobs/s", 0, max),
    Measure("Python", "worker", "us CPU/job", 1),
    Measure("PostgreSQL", "server", "us CPU/job", 1),
    Measure("both", "cpu", "us CPU/job", 1),
    Measure("statements", "statements", "per job", 3),
    Measure("WAL", "wal", "B/job"),
)
_RATIOS = (
    Ratio("rate", _OURS, _RIVAL, least=1),
    Ratio("best rate", _OURS, _RIVAL, least=1),
    Ratio("both", _OURS, _RIVAL, most=1),
    Ratio("Python", _OURS, _RIVAL),
    Ratio("PostgreSQL", _OURS, _RIVAL),
    Ratio("best rate", _OURS, _SAME),
    Ratio("both", _OURS, _SAME),
    Ratio("best rate", _OURS, _LEAN),
    Ratio("both", _OURS, _LEAN),
)
_NOTES = (
    f"{_OURS}: `soniq-sa worker` with default settings, plain asyncio.",
    f"{_RIVAL}: batch 500, one asyncpg connection, uvloop, as its documentation advises.",
    f"{_SAME}: the claim and finish statements of soniq-sa in turn, 100 jobs each, plain asyncio.",
    f"{_LEAN}: hand-written statements, 100 jobs each, the next batch claimed meanwhile; uvloop.",
)
