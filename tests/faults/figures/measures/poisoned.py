"""A job that ends its worker's process, among many that do not; the process is started again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.figures.figures import Fault, Figure
from tests.faults.figures.plan import Plan
from tests.faults.figures.samples import Samples
from tests.faults.figures.stage import Stage
from tests.faults.figures.system import System

_INNOCENT = 200
_PAUSE = 0.2
"""Seconds between the end of a process and the start of the next one."""


def _poison(plan: Plan, system: System) -> Samples:
    return plan.repeat(system, lambda stage: _deliver(stage, plan.deadline), ours=3)


def _deliver(stage: Stage, deadline: float) -> dict[str, float]:
    before = stage.enqueue("nap", _INNOCENT // 2, 0.05)
    (poison,) = stage.enqueue("poison")
    innocent = [*before, *stage.enqueue("nap", _INNOCENT // 2, 0.05)]
    with _supervised(stage):
        stage.until(lambda: stage.count(stage.system.left) == 0, deadline, every=0.2)
        starts = stage.starts([*innocent, poison])
        done = stage.count(stage.system.done)
    return {
        "deliveries": len(starts[poison]),
        "extra": max(len(starts[job]) for job in innocent) - 1,
        "done": done,
    }


@contextmanager
def _supervised(stage: Stage) -> Iterator[None]:
    """Run one worker, and another one each time that it has ended."""
    stopping = threading.Event()

    def supervise() -> None:
        while not stopping.is_set():
            worker = stage.starting_worker(**stage.system.tight)
            while not worker.has_exited and not stopping.wait(0.02):
                pass
            stopping.wait(_PAUSE)

    thread = threading.Thread(target=supervise)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


POISONED = Fault(
    "poison",
    f"a job that calls os._exit among {_INNOCENT} others, one worker, started again {_PAUSE} s later",
    (
        Figure("deliveries of the poison", "deliveries", most=3),
        Figure("extra starts of another job", "extra", most=1),
        Figure("others done", "done", least=_INNOCENT),
    ),
    _poison,
)
