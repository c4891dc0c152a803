"""SIGKILL of one of two workers, and the loss of its host: until its jobs start again at the other."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable

from tests.faults.figures.figures import Fault, Figure
from tests.faults.figures.plan import Plan
from tests.faults.figures.samples import Samples
from tests.faults.figures.stage import NEVER, Stage
from tests.faults.figures.system import System
from tests.faults.proxy import proxy_before

_JOBS = 8
_UNTIL_SETTLED = 6.0
"""Seconds: more than one beat, so that each worker knows of the other."""
_SERVER_UP_FOR = 16.0
"""Nobody is taken for dead while the server itself has been up for less than a lease."""


def _kill(plan: Plan, system: System) -> Samples:
    """Kill one worker after the other; the one that took over is the next to die."""
    waits: list[float] = []
    _await_age(plan)
    with plan.stage(system) as stage:
        peer = stage.worker()
        for _ in plan.runs_of(system, 12):
            jobs = _held_jobs(stage)
            victim, peer = peer, stage.worker()
            time.sleep(_UNTIL_SETTLED)
            waits += _again(stage, jobs, victim.kill(), plan.deadline)
            if NEVER in waits:
                break
            _let_end(stage, jobs)
    return {"again": waits}


def _lose_host(plan: Plan, system: System) -> Samples:
    """Stop a worker, and let nothing pass on its connections, which stay open."""
    waits: list[float] = []
    _await_age(plan)
    for _ in plan.runs_of(system, 3):
        with plan.stage(system) as stage, proxy_before(stage.url) as proxy:
            victim = stage.worker(url=proxy.url)
            jobs = _held_jobs(stage)
            stage.worker()
            time.sleep(_UNTIL_SETTLED)
            proxy.freeze(lambda _link: True)
            waits += _again(stage, jobs, victim.send(signal.SIGSTOP), plan.deadline)
            stage.close()  # they would connect anew while the proxy stops
    return {"again": waits}


def _held_jobs(stage: Stage) -> range:
    """Have the only worker that is there run jobs."""
    jobs = stage.enqueue("hold", _JOBS)
    stage.must(lambda: stage.until_started(jobs), "the first starts")
    return jobs


def _let_end(stage: Stage, jobs: range) -> None:
    stage.open_gate(jobs)
    stage.must(lambda: set(jobs) <= stage.ended(), "the ends")


def _again(stage: Stage, jobs: Iterable[int], lost_at: float, deadline: float) -> list[float]:
    """Return the seconds until each job was started for the second time."""
    stage.until_started(jobs, 2, deadline)
    return [at[1] - lost_at if len(at) > 1 else NEVER for at in stage.starts(jobs).values()]


def _await_age(plan: Plan) -> None:
    """Wait until the server has been up for longer than a lease."""
    left = "SELECT %s - extract(epoch FROM now() - pg_postmaster_start_time())::float8"
    time.sleep(max(0.0, plan.server.number(left, _SERVER_UP_FOR)))


KILLED = Fault(
    "kill",
    f"SIGKILL of one of two workers that runs {_JOBS} jobs; default settings",
    (
        Figure("started again at the peer, p50", "again", "s", percent=50, digits=2),
        Figure("started again at the peer, p99", "again", "s", most=2, percent=99, digits=2),
        Figure("started again at the peer, max", "again", "s", digits=2),
    ),
    _kill,
)
HOST_LOST = Fault(
    "host",
    f"host of one of two workers lost with {_JOBS} jobs: SIGSTOP, connections half-open; lease 15 s",
    (
        Figure("started again at the peer, p50", "again", "s", percent=50, digits=1),
        Figure("started again at the peer, max", "again", "s", most=17, digits=1),
    ),
    _lose_host,
)
