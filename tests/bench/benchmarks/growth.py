"""Whether a job costs more when ten times as many wait, or when the worker was there before them."""

from __future__ import annotations

import time

import psycopg
from sqlalchemy import create_engine, make_url

from soniq_sa import SoniqSession
from tests.bench.app import noop
from tests.bench.benchmarks.drain import MEASURES
from tests.bench.cells import Cells, new_cells
from tests.bench.child import Child, finished, running
from tests.bench.draining import LOOK_BY_INDEX, drain_fresh
from tests.bench.meter import Meter, cost_per_job
from tests.bench.plan import Plan, attempt
from tests.bench.results import Figures, Results, Target
from tests.bench.shop import payload
from tests.bench.systems import OURS, WORKER

NAME = "growth"
TIMES = 10
AT_ONCE = 10_000
SETTLE = 1.0
"""Seconds after which a worker has run each of its statements once."""

_EARLY = "worker first"
_NOTES = (
    (
        f"{_EARLY}: the worker starts on tables that were just created, and plans its statements; then the "
        "jobs come, all at once. Nothing analyzes the table meanwhile."
    ),
)


def measure(plan: Plan) -> Results:
    """Drain a backlog, one ten times as large, and one that comes later, in turn."""
    small, large = (f"{jobs:,} jobs" for jobs in (plan.jobs, TIMES * plan.jobs))
    targets = [
        Target(f"{TIMES} x the backlog: CPU per job", "cpu", large, small, most=1.1),
        Target(f"{TIMES} x the backlog: rate", "rate", large, small),
        Target(f"{TIMES} x the backlog: memory of the worker", "memory", large, small),
        Target("worker older than its table's rows: CPU per job", "cpu", _EARLY, small, most=1.1),
    ]
    title = f"{small} and {large} waiting, one worker process"
    results = Results(NAME, title, MEASURES, targets, _NOTES)
    cases = {
        small: lambda: drain_fresh(plan, OURS, plan.jobs),
        large: lambda: drain_fresh(plan, OURS, TIMES * plan.jobs),
        _EARLY: lambda: _drain_late(plan),
    }
    for case in plan.interleave(NAME, list(cases)):
        attempt(results, case, cases[case])
    return results


def _drain_late(plan: Plan) -> Figures:
    with (
        plan.server.database() as url,
        new_cells(1) as ran,
        psycopg.connect(url, autocommit=True) as watcher,
    ):
        watcher.execute(LOOK_BY_INDEX)
        finished(OURS.command("prepare", 0), url)
        with running(WORKER, url, ran) as worker:
            registered = "SELECT count(*) FROM soniq_workers"
            worker.wait_for(lambda: watcher.execute(registered).fetchone() == (1,), "a worker")
            time.sleep(SETTLE)
            return _enqueue_and_drain(plan, url, worker, ran, watcher)


def _enqueue_and_drain(
    plan: Plan, url: str, worker: Child, ran: Cells, watcher: psycopg.Connection
) -> Figures:
    """Enqueue everything in one transaction; the clock starts at its commit."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    meter = Meter(plan.server, watcher.info.dbname, [worker.pid])
    with SoniqSession(engine) as session:
        for first in range(0, plan.jobs, AT_ONCE):
            part = range(first, min(first + AT_ONCE, plan.jobs))
            session.enqueue_many(noop, [payload(number) for number in part])
            session.flush()
        before = meter.read()
        session.commit()
    worker.wait_for(lambda: ran[0] >= plan.jobs, "every job")
    query = OURS.unfinished.encode()
    worker.wait_for(lambda: watcher.execute(query).fetchone() == (False,), "the end of every job")
    engine.dispose()
    return cost_per_job(before, meter.read(), plan.jobs, own_statements=0)
