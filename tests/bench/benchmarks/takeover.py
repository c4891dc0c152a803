"""How long a job of a killed worker waits until another worker starts it again; default settings.

Settled: both workers have been up for a while. Fresh: the worker is killed within its first second,
when the other may not know of it yet.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg
from sqlalchemy import Engine, create_engine, make_url

from soniq_sa import SoniqSession
from tests.bench.app import hold
from tests.bench.cells import Cells, new_cells
from tests.bench.child import Child, finished, running
from tests.bench.plan import Plan, attempt
from tests.bench.results import Figures, Measure, Results, Target
from tests.bench.systems import OURS, WORKER

NAME = "takeover"

_SETTLED = "settled worker"
_FRESH = "fresh worker"
_UNTIL_SETTLED = 6.0
"""More than one beat: by then each worker knows whether there are others."""
_SERVER_UP_FOR = 16.0
"""Nobody is taken for dead while the server itself has been up for less than a lease."""
_MOST_JOBS = 200


def measure(plan: Plan) -> Results:
    """Kill one of two workers, settled and fresh in turn."""
    title = "takeover of a running job after SIGKILL of its worker, two workers, default settings"
    results = Results(NAME, title, _MEASURES, _TARGETS, _NOTES)
    _await_age(plan)
    for case in plan.interleave(NAME, (_SETTLED, _FRESH)):
        settled = case == _SETTLED
        attempt(results, case, lambda s=settled: _kill_once(plan, settled=s))  # type: ignore[misc]
    return results


def _kill_once(plan: Plan, *, settled: bool) -> Figures:
    with (
        plan.server.database() as url,
        new_cells(4 * _MOST_JOBS) as starts,
        _engine(url) as engine,
        psycopg.connect(url, autocommit=True) as watcher,
        ExitStack() as stack,
    ):
        survivor = _worker(stack, url, starts)
        if not settled:
            _let_settle(survivor, watcher, 1)
        victim = _worker(stack, url, starts)
        if settled:
            _let_settle(victim, watcher, 2)
        job = _give_job(engine, starts, victim)
        killed_at = time.monotonic_ns()
        os.kill(victim.pid, signal.SIGKILL)
        survivor.wait_for(lambda: starts[4 * job + 3] > 0, "the second start")
        return {"wait": (starts[4 * job + 3] - killed_at) / 1e9}


def _worker(stack: ExitStack, url: str, starts: Cells) -> Child:
    return stack.enter_context(running(WORKER, url, starts))


def _give_job(engine: Engine, starts: Cells, worker: Child) -> int:
    """Enqueue jobs, one after the other, until ``worker`` has taken one, and return that one."""
    for job in range(_MOST_JOBS):
        with SoniqSession(engine) as session, session.begin():
            session.enqueue(hold, job)
        worker.wait_for(_started(starts, job), f"the start of job {job}")
        if starts[4 * job] == worker.pid:
            return job
    raise worker.failure(f"took none of {_MOST_JOBS} jobs")


def _started(starts: Cells, job: int) -> Callable[[], bool]:
    return lambda: starts[4 * job + 1] > 0


def _let_settle(last: Child, watcher: psycopg.Connection, workers: int) -> None:
    """Wait until so many workers are registered, and for the beat after that."""
    registered = "SELECT count(*) FROM soniq_workers"
    last.wait_for(lambda: watcher.execute(registered).fetchone() == (workers,), "a worker")
    time.sleep(_UNTIL_SETTLED)


def _await_age(plan: Plan) -> None:
    """Wait until the server has been up for longer than a lease."""
    left = "SELECT %s - extract(epoch FROM now() - pg_postmaster_start_time())::float8"
    time.sleep(max(0.0, plan.server.number(left, _SERVER_UP_FOR)))


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    finished(OURS.command("prepare", 0), url)
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    yield engine
    engine.dispose()


_MEASURES = (Measure("wait", "s", 2),)
_TARGETS = (
    Target("takeover from a killed worker", "wait", _SETTLED, most=3),
    Target("takeover from a worker killed in its first second", "wait", _FRESH, most=3),
)
_NOTES = (
    f"{_SETTLED}: both workers have been up for more than a heartbeat.",
    f"{_FRESH}: the killed worker had just started, and the other had been alone.",
)
