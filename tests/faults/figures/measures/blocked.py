"""A handler blocks the event loop for longer than a lease, and another worker is there."""

from __future__ import annotations

import re
import threading
import time
import urllib.request
from collections.abc import Callable

from tests.faults.figures.figures import Fault, Figure
from tests.faults.figures.plan import Plan
from tests.faults.figures.samples import Samples
from tests.faults.figures.stage import NEVER, Process, Stage
from tests.faults.figures.system import System

_GIL_FOR = 20.0
_AFTER = 15.0
"""Seconds after its end in which the job may still be started elsewhere."""
_ENDPOINT = re.compile(r"metrics at (\S+)")


def _measured_with(
    handler: str, seconds: Callable[[System], float], *, scraped: bool
) -> Callable[[Plan, System], Samples]:
    def measure(plan: Plan, system: System) -> Samples:
        ours = scraped and system.is_ours
        return plan.repeat(
            system, lambda stage: _block(stage, handler, seconds(system), scraped=ours), ours=2
        )

    return measure


def _block(stage: Stage, handler: str, seconds: float, *, scraped: bool) -> dict[str, float]:
    tight = stage.system.tight
    worker = stage.worker(**tight)
    (job,) = stage.enqueue(handler, 1, seconds)
    stage.must(lambda: stage.until_started([job]), "the start of the job")
    began = stage.starts([job])[job][0]
    watch = _Watch(worker, handler, scraped=scraped)
    stage.worker(**tight)
    stage.until(lambda: job in stage.ended(), seconds + _AFTER)
    stage.until_started([job], 2, _AFTER)
    watch.stop()
    return {
        "starts": len(stage.starts([job])[job]) - 1,
        "warning": watch.warned_at - began,
        **({"metric": watch.told_at - began} if scraped else {}),
    }


class _Watch:
    """Looks at the log and the metrics of a worker until they tell of its handler."""

    def __init__(self, worker: Process, handler: str, *, scraped: bool) -> None:
        self.warned_at = self.told_at = NEVER
        self._worker = worker
        self._warning = re.compile(rf"WARN.*\b{handler}\b.*", re.IGNORECASE)
        self._metric = f'soniq_sa_event_loop_blocked{{task="{handler}"}} 1.0'
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._read)]
        if scraped:
            self._threads.append(threading.Thread(target=self._scrape))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        while not self._stopped.wait(0.05):
            if self._warning.search(self._worker.log):
                self.warned_at = time.monotonic()
                return

    def _scrape(self) -> None:
        (url,) = _ENDPOINT.findall(self._worker.log)
        while not self._stopped.wait(0.05):
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own worker
                if self._metric in answer.read().decode():
                    self.told_at = time.monotonic()
                    return


_STARTS = Figure("second starts", "starts", most=0)
_WARNING = Figure("warning that names the task, after", "warning", "s", most=2, digits=1)

BLOCKED = Fault(
    "blocked",
    "time.sleep in an async handler for longer than the lease; the rivals' leases: tightest settings",
    (
        _STARTS,
        _WARNING,
        Figure("metric that names the task, after", "metric", "s", most=2, digits=1),
    ),
    _measured_with("hog", lambda system: system.block_for, scraped=True),
)
GIL_HELD = Fault(
    "gil",
    "a handler in compiled code that keeps Python's lock for 20 s",
    (_STARTS, _WARNING),
    _measured_with("gil_hog", lambda _system: _GIL_FOR, scraped=False),
)
