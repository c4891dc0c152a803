"""Handlers raise and return text that PostgreSQL cannot store (U+0000), beside one that does not."""

from __future__ import annotations

from tests.faults.figures.figures import Fault, Figure
from tests.faults.figures.plan import Plan
from tests.faults.figures.samples import Samples
from tests.faults.figures.stage import Stage
from tests.faults.figures.system import System

_PATIENCE = 15.0


def _offend(plan: Plan, system: System) -> Samples:
    return plan.repeat(system, _run_beside, ours=2)


def _run_beside(stage: Stage) -> dict[str, float]:
    system = stage.system
    jobs = [*stage.enqueue("bad_error"), *stage.enqueue("bad_result"), *stage.enqueue("nap")]
    worker = stage.worker()
    stage.must(lambda: stage.until_started(jobs), "the starts")
    stage.until(lambda: stage.count(system.running) == 0, _PATIENCE, every=0.2)
    return {
        "stuck": stage.count(system.running),
        "done": stage.count(system.done),
        "exited": int(worker.has_exited),
    }


HOSTILE = Fault(
    "hostile",
    "U+0000 in the text of an error and in a result, and a healthy job in the same batch",
    (
        Figure("jobs stuck in a running state", "stuck", most=0),
        Figure("jobs recorded as done", "done", least=1),
        Figure("workers that exited", "exited", most=0),
    ),
    _offend,
)
