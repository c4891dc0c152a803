"""Emptying a queue once, and what that costs.

The clock starts at a barrier that is the same for all: the job table is locked before the workers
start, and the lock is released when all of them wait for it. So imports, connecting and everything
else of the start are over. The clock stops when no job is unfinished in the table.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self

import psycopg

from tests.bench.cells import SLOT, Cells, new_cells
from tests.bench.child import Child, finished, running
from tests.bench.meter import Meter, cost_per_job
from tests.bench.plan import Plan
from tests.bench.results import Figures
from tests.bench.server import Server, analyze
from tests.bench.systems import System

LOOK_BY_INDEX = b"SET enable_seqscan = off; SET jit = off"
"""Without an index it reads the table nevertheless, at a price for which PostgreSQL would compile it."""
_SETTLE = 0.2
"""Seconds without another connection that waits: the worker has started all that it starts."""


def drain_fresh(plan: Plan, system: System, jobs: int, *, workers: int = 1) -> Figures:
    """Empty a queue of a new database."""
    jobs = min(jobs, system.most_jobs)
    with plan.server.database() as url:
        finished(system.command("prepare", jobs), url)
        analyze(url)
        return drain(plan.server, system, url, jobs, [system.work(busy=True)] * workers)


def drain(
    server: Server, system: System, url: str, jobs: int, workers: Sequence[Sequence[str]]
) -> Figures:
    """Empty the queue in the database at ``url``, which holds ``jobs`` jobs."""
    with (
        psycopg.connect(url, autocommit=True) as watcher,
        new_cells(len(workers)) as ran,
        ExitStack() as stack,
    ):
        watcher.execute(LOOK_BY_INDEX)
        gate = stack.enter_context(_Gate(server, url, system.table))
        children = []
        for slot, command in enumerate(workers):
            child = running(command, url, ran, **{SLOT: str(slot)})
            children.append(stack.enter_context(child))
            gate.await_arrival(children[-1])
        meter = Meter(server, gate.database, [child.pid for child in children])
        committed = _transactions(server, gate.database)
        before = meter.read()
        gate.open()
        looks = _await_end(children, watcher, system, ran, jobs)
        after = meter.read()
        figures = dict(cost_per_job(before, after, jobs, own_statements=looks + 1))
        stack.close()  # kills the workers: PostgreSQL counts what a connection did when it ends
        _await_silence(server, gate.database)
        more = _transactions(server, gate.database) - committed
    figures["transactions"] = max(0.0, more - looks - 1) / jobs
    return figures


class _Gate:
    """Keeps everybody out of a table until it opens."""

    def __init__(self, server: Server, url: str, table: str) -> None:
        self._server = server
        self._table = table
        self._connection = psycopg.connect(url)
        self.database = self._connection.info.dbname

    def __enter__(self) -> Self:
        self._connection.execute(f"LOCK TABLE {self._table} IN ACCESS EXCLUSIVE MODE".encode())
        self._queue = 0.0
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def open(self) -> None:
        """Let everybody through."""
        self._connection.commit()

    def await_arrival(self, child: Child) -> None:
        """Wait until a process that has just started waits with all connections that will."""
        before = self._queue
        child.wait_for(lambda: self._waiting() > before, "a claim", every=0.02)
        since = time.monotonic()
        while time.monotonic() - since < _SETTLE:
            if (now := self._waiting()) != self._queue:
                since, self._queue = time.monotonic(), now
            time.sleep(0.02)

    def _waiting(self) -> float:
        return self._server.number(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'",
            self.database,
        )


def _await_end(
    children: Sequence[Child],
    watcher: psycopg.Connection,
    system: System,
    ran: Cells,
    jobs: int,
) -> int:
    """Wait until the end of every job is committed; return how often the table was looked at.

    It is not looked at before all have run. Threads may count one short: so not after a pause either.
    """
    looks, counted, since = 0, -1, time.monotonic()

    def all_ran() -> bool:
        nonlocal counted, since
        if (now := sum(ran)) != counted:
            counted, since = now, time.monotonic()
        paused = counted > 0.9 * jobs and time.monotonic() - since > 0.05
        return counted >= jobs or paused

    def ended() -> bool:
        nonlocal looks
        looks += 1
        return watcher.execute(system.unfinished.encode()).fetchone() == (False,)

    if system.counts:
        children[0].wait_for(all_ran, f"{jobs} jobs of {system}", every=0.002)
    pause = 0.002 if system.counts else 0.02
    children[0].wait_for(ended, f"the end of every job of {system}", every=pause)
    return looks


def _await_silence(server: Server, database: str) -> None:
    """Wait until nobody but the watcher is connected; a worker's process may be slow to go."""
    deadline = time.monotonic() + 5
    clients = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        " AND backend_type = 'client backend'"
    )
    while server.number(clients, database) > 1 and time.monotonic() < deadline:
        time.sleep(0.02)


def _transactions(server: Server, database: str) -> float:
    return server.number(
        "SELECT (xact_commit + xact_rollback)::float8 FROM pg_stat_database WHERE datname = %s",
        database,
    )


DRAIN_FIGURES = ("rate", "worker", "server", "cpu", "statements", "transactions", "wal", "memory")
