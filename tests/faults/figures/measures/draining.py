"""SIGTERM while a handler runs that does not end in time."""

from __future__ import annotations

import math
import signal
import subprocess
import time
from collections.abc import Callable

from tests.faults.figures.figures import Fault, Figure
from tests.faults.figures.plan import Plan
from tests.faults.figures.samples import Samples
from tests.faults.figures.scripts.script import DRAIN
from tests.faults.figures.stage import NEVER, Process, Stage
from tests.faults.figures.system import System

_TIMEOUT = 5.0
_RUNS_FOR = 60.0
_SETTINGS = {
    "SONIQ_SA_DRAIN_TIMEOUT": f"{_TIMEOUT:g}",
    "SONIQ_SHUTDOWN_TIMEOUT": f"{_TIMEOUT:g}",
    DRAIN: f"{_TIMEOUT:g}",
}
_SYNC = {"in_thread", "busy"}


def _measured_with(handler: str, *, twice: bool = False) -> Callable[[Plan, System], Samples]:
    def measure(plan: Plan, system: System) -> Samples:
        if handler in _SYNC and not system.sync:
            return {}
        return plan.repeat(system, lambda stage: _drain(plan, stage, handler, twice=twice), ours=2)

    return measure


def _drain(plan: Plan, stage: Stage, handler: str, *, twice: bool) -> dict[str, float]:
    system = stage.system
    worker = stage.worker(**_SETTINGS)
    (job,) = stage.enqueue(handler, 1, _RUNS_FOR)
    stage.must(lambda: stage.until_started([job]), "the start of the job")
    stage.worker(**_SETTINGS)
    time.sleep(1)
    asked_at = worker.send(signal.SIGTERM)
    if twice:
        time.sleep(1)
        asked_at = worker.send(signal.SIGTERM)
    status = _end_of(worker, plan.deadline)
    exited_at = time.monotonic()
    attempts = stage.count(system.attempts) if system.attempts else math.nan
    exited = exited_at - asked_at if math.isfinite(status) else NEVER
    return {
        "over": max(0.0, exited - (0 if twice else _TIMEOUT)),
        "status": status,
        "again": _again(stage, job, worker, plan.deadline, exited_at),
        "attempts": attempts,
    }


def _again(stage: Stage, job: int, worker: Process, deadline: float, exited_at: float) -> float:
    """Return the seconds from the exit to the start elsewhere; NaN if the handler ended before it."""
    if any(line.process == worker.pid for line in stage.lines("end", job)):
        return math.nan
    if not stage.until_started([job], 2, deadline / 2):
        return NEVER
    return max(0.0, stage.starts([job])[job][1] - exited_at)


def _end_of(worker: Process, deadline: float) -> float:
    """Return how a process ended, 128 + n for signal n; inf if it did not in time, and kill it."""
    try:
        status = worker.popen.wait(deadline)
    except subprocess.TimeoutExpired:
        worker.kill()
        return NEVER
    return status if status >= 0 else 128 - status


def _fault(name: str, title: str, handler: str, *, twice: bool = False) -> Fault:
    over = "exit after the second signal" if twice else "exit over the time limit"
    return Fault(
        name,
        title,
        (
            Figure(over, "over", "s", most=1, digits=1),
            Figure("exit status", "status", most=0),
            Figure("started elsewhere, after the exit", "again", "s", most=1, digits=1),
            Figure("attempts consumed", "attempts", most=0),
        ),
        _measured_with(handler, twice=twice),
    )


FAULTS = (
    _fault("drain-async", "SIGTERM, time limit 5 s, an async handler that sleeps for 60 s", "nap"),
    _fault(
        "drain-sync", "SIGTERM, time limit 5 s, a sync handler that sleeps for 60 s", "in_thread"
    ),
    _fault(
        "drain-blocked", "SIGTERM, time limit 5 s, an async handler that blocks for 60 s", "hog"
    ),
    _fault("drain-cpu", "SIGTERM, time limit 5 s, a sync handler that computes for 60 s", "busy"),
    _fault("hurry", "SIGTERM twice, an async handler that sleeps for 60 s", "nap", twice=True),
)
