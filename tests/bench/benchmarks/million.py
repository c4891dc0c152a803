"""A million jobs through one queue: whether tables, indexes and the worker's memory stay bounded.

Jobs are enqueued as fast as one worker ends them. A retention of one hour is simulated: the ends of the
oldest jobs are deleted so that a tenth of all stays, and autovacuum has as many chances to follow as it
would in ten hours.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from sqlalchemy import Engine, create_engine, make_url

from soniq_sa import SoniqSession
from tests.bench.app import noop
from tests.bench.cells import Cells, new_cells
from tests.bench.child import Child, finished, running
from tests.bench.meter import Meter
from tests.bench.plan import Plan, attempt
from tests.bench.results import Figures, Measure, Results, Target
from tests.bench.shop import payload
from tests.bench.svg import Lines
from tests.bench.systems import OURS, WORKER

NAME = "million"
AT_ONCE = 5_000
BACKLOG = 20_000
FIRST_LOOK = 20_000
"""Jobs after which the memory is what later memory is compared with."""

_SIZES = (
    "SELECT pg_table_size('soniq_jobs')::float8, pg_indexes_size('soniq_jobs')::float8,"
    " coalesce(n_dead_tup, 0)::float8, autovacuum_count::float8"
    " FROM pg_stat_user_tables WHERE relname = 'soniq_jobs'"
)
_MEASURES = (
    Measure("table", "MB"),
    Measure("indexes", "MB"),
    Measure("half way", "MB"),
    Measure("growth", "", 2),
    Measure("dead rows", ""),
    Measure("vacuums", ""),
    Measure("memory first", "MB", 1),
    Measure("memory last", "MB", 1),
    Measure("memory growth", "", 3),
    Measure("worker", "us CPU/job", 1),
    Measure("seconds", "s"),
)
_NOTES = (
    "table and indexes: at the end; half way: both together then; growth: from there to the end.",
    f"memory first: of the worker after {FIRST_LOOK:,} jobs.",
    "Autovacuum looks every second, with the storage parameters of soniq-sa and its usual brakes.",
)


def measure(plan: Plan) -> Results:
    """Run the jobs through, once."""
    case = f"{plan.rows:,} jobs"
    targets = [
        Target("table and indexes: size at the end over half way", "growth", case, most=1.2),
        Target(f"memory of a worker after {FIRST_LOOK:,} jobs", "memory first", case, most=70),
        Target(f"memory of a worker after {case}, over that", "memory growth", case, most=1.05),
    ]
    results = Results(NAME, f"{case} through one queue, a tenth kept", _MEASURES, targets, _NOTES)
    sizes: dict[str, list[tuple[float, float]]] = {"table": [], "indexes": []}
    for _ in plan.interleave(NAME, [case], runs=1):
        attempt(results, case, lambda: _run_through(plan, sizes))
    title = "Size of the job table and its indexes"
    results.plots.append(Lines("million-size", title, "jobs", "MB", sizes))
    return results


def _run_through(plan: Plan, sizes: dict[str, list[tuple[float, float]]]) -> Figures:
    with (
        plan.server.changed(autovacuum="on", autovacuum_naptime="1s"),
        plan.server.database() as url,
        new_cells(1) as ran,
    ):
        finished(OURS.command("prepare", 0), url)
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        with running(WORKER, url, ran) as worker, psycopg.connect(url, autocommit=True) as watcher:
            meter = Meter(plan.server, "", [worker.pid])
            return _Flow(plan.rows, engine, worker, ran, watcher, meter, sizes).run()


@dataclass(slots=True)
class _Flow:
    """The producer, who also deletes what is old, and looks at sizes."""

    rows: int
    engine: Engine
    worker: Child
    ran: Cells
    watcher: psycopg.Connection
    meter: Meter
    sizes: dict[str, list[tuple[float, float]]]
    firsts: deque[UUID] = field(default_factory=deque)
    memory_first: float = math.nan

    def run(self) -> Figures:
        """Return sizes and memory at the end."""
        began, half_way = time.monotonic(), math.nan
        for given in range(0, self.rows, AT_ONCE):
            self.worker.wait_for(self._has_room(given), "progress")
            self._enqueue(given)
            if given >= FIRST_LOOK and math.isnan(self.memory_first):
                self.memory_first = self.meter.memory()
            if given % max(AT_ONCE, self.rows // 20) < AT_ONCE:
                total = self._look(given)
                if given <= self.rows / 2:
                    half_way = total
        self.worker.wait_for(lambda: self.ran[0] >= self.rows, "the last job")
        table, indexes, dead, vacuums = self._sizes_now()
        memory = self.meter.memory()
        self.engine.dispose()
        return {
            "table": table,
            "indexes": indexes,
            "half way": half_way,
            "growth": (table + indexes) / half_way,
            "dead rows": dead,
            "vacuums": vacuums,
            "memory first": self.memory_first,
            "memory last": memory,
            "memory growth": memory / self.memory_first,
            "worker": self.meter.worker_cpu() / self.rows * 1e6,
            "seconds": time.monotonic() - began,
        }

    def _has_room(self, given: int) -> Callable[[], bool]:
        return lambda: given - self.ran[0] < BACKLOG

    def _enqueue(self, given: int) -> None:
        numbers = range(given, min(given + AT_ONCE, self.rows))
        with SoniqSession(self.engine) as session, session.begin():
            handles = session.enqueue_many(noop, [payload(number) for number in numbers])
        self.firsts.append(handles[0].id)
        if len(self.firsts) * AT_ONCE > self.rows / 10 + BACKLOG:
            self.firsts.popleft()
            self.watcher.execute(
                "DELETE FROM soniq_jobs WHERE id < %s AND state = 'done'", [self.firsts[0]]
            )

    def _look(self, given: int) -> float:
        table, indexes, _, _ = self._sizes_now()
        self.sizes["table"].append((given, table))
        self.sizes["indexes"].append((given, indexes))
        return table + indexes

    def _sizes_now(self) -> tuple[float, float, float, float]:
        row = self.watcher.execute(_SIZES.encode()).fetchone()
        table, indexes, dead, vacuums = map(float, row or (0, 0, 0, 0))
        return table / 2**20, indexes / 2**20, dead, vacuums
