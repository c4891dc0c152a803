"""PostgreSQL is stopped at once, under load, and started again."""

from __future__ import annotations

import time

from soniq_sa.localserver import local_server
from tests.faults.figures.figures import Fault, Figure
from tests.faults.figures.plan import Plan
from tests.faults.figures.samples import Samples, repeated
from tests.faults.figures.stage import NEVER, Stage, stage
from tests.faults.figures.system import System
from tests.process.test_database import PrivateServer

_JOBS = 1200
_CALM = {"SONIQ_SA_CONCURRENCY": "20"}
"""As that of the rivals, which have one: so most jobs have not been started when the server stops."""
_SECONDS = 0.5
"""Of each job."""
_WORKERS = 2
_QUIET = 20.0
"""Seconds without the end of a handler, after which nothing more is expected."""


def _restart(plan: Plan, system: System) -> Samples:
    """Measure, each time on a server of its own."""

    def once() -> dict[str, float]:
        with local_server(sources=("binaries", "embedded"), durable=True) as local:
            server = PrivateServer(local)
            try:
                with stage(system, server.url) as made:
                    return _restart_under(plan, made, server)
            finally:
                server.close()

    return repeated(plan.runs_of(system, 5, 2), once)


def _restart_under(plan: Plan, made: Stage, server: PrivateServer) -> dict[str, float]:
    system = made.system
    jobs = made.enqueue("nap", _JOBS, _SECONDS)
    workers = [made.worker(**_CALM) for _ in range(_WORKERS)]
    made.must(lambda: len(made.ended()) > _JOBS // 50, "the load to run", plan.deadline)
    server.stop_immediately()
    server.start()
    ready = time.monotonic()
    made.until(lambda: _is_over(made), plan.deadline, every=0.2)
    after = [at for starts in made.starts(jobs).values() for at in starts if at > ready]
    ends = [line.job for line in made.lines("end")]
    return {
        "exited": sum(worker.has_exited for worker in workers),
        "first": min(after, default=NEVER) - ready,
        "lost": len(set(ends)) - made.count(system.done),
        "stuck": made.count(system.running),
        "left": made.count(system.left),
        "twice": len(ends) - len(set(ends)),
    }


def _is_over(made: Stage) -> bool:
    """Tell whether all is done, or nothing has happened for some time."""
    last = max((line.at for line in made.lines("end")), default=0.0)
    return time.monotonic() - last > _QUIET or made.count(made.system.left) == 0


RESTARTED = Fault(
    "restart",
    f"immediate restart of PostgreSQL while {_WORKERS} workers of 16 to 20 slots run {_JOBS} jobs of {_SECONDS} s",
    (
        Figure("workers that exited", "exited", most=0),
        Figure("first job after it is ready", "first", "s", most=3, digits=1),
        Figure("completions that are not recorded", "lost", most=0),
        Figure("jobs stuck in a running state", "stuck", most=0),
        Figure("jobs not done", "left", most=0),
        Figure("jobs that ran to their end twice", "twice"),
    ),
    _restart,
)
