"""A worker is stopped past its lease, and writes too late; another one runs its job by then."""

from __future__ import annotations

import signal
import time

from tests.faults.figures.figures import Fault, Figure
from tests.faults.figures.plan import Plan
from tests.faults.figures.samples import Samples
from tests.faults.figures.stage import Stage
from tests.faults.figures.system import System

_LATE = 5.0


def _stop(plan: Plan, system: System) -> Samples:
    return plan.repeat(system, lambda stage: _come_back(stage, plan.deadline), ours=3)


def _come_back(stage: Stage, deadline: float) -> dict[str, float]:
    tight = stage.system.tight
    zombie = stage.worker(**tight)
    (job,) = stage.enqueue("turns")
    stage.must(lambda: stage.until_started([job]), "the start")
    stage.worker(**tight)
    zombie.send(signal.SIGSTOP)
    if not stage.until_started([job], 2, deadline):
        return {}
    stage.open_gate([job], 0)
    zombie.send(signal.SIGCONT)
    time.sleep(_LATE)
    return {"changed": stage.count(stage.system.done)}


STOPPED = Fault(
    "zombie",
    "SIGSTOP past the lease, SIGCONT while another worker runs the job; the handler then succeeds late",
    (Figure("rows changed by the late write", "changed", most=0),),
    _stop,
)
