"""What may happen to the process of a worker."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.faults.schedules import app
from tests.faults.schedules.fault import Fault, NotHere
from tests.faults.schedules.producers import PATIENCE, enqueue_one
from tests.process.yard import until

FAKETIME = next(iter(Path("/usr").glob("lib*/**/faketime/libfaketime.so.1")), None)
"""The library that gives a program another clock, where it is installed."""


class Kill(Fault):
    """SIGKILL; the supervisor fills the seat again."""

    def begin(self) -> None:
        self.seat.expected = True
        self.stage.journal.note("killed", worker=self.seat.worker.pid)
        self.seat.worker.kill()


class Pause(Fault):
    """SIGSTOP, for shorter or longer than the lease, and SIGCONT."""

    def begin(self) -> None:
        self._worker = self.seat.worker
        self._worker.signal(signal.SIGSTOP)

    def end(self) -> None:
        self._worker.signal(signal.SIGCONT)


class Terminate(Fault):
    """SIGTERM in the middle of work; the supervisor fills the seat again."""

    def begin(self) -> None:
        self.seat.gently = True
        self.seat.worker.signal(signal.SIGTERM)


class Skew(Kill):
    """A worker whose clock is hours off takes the place of one that is killed, for some time."""

    def begin(self) -> None:
        if FAKETIME is None:
            raise NotHere("libfaketime is not installed")
        self.seat.own = {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME": f"{self.planned.detail['hours']:+d}h",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        worker = self.seat.worker
        super().begin()
        until(lambda: worker.exit_code is not None, "the end of a killed worker", PATIENCE)

    def end(self) -> None:
        if self.seat.own:
            self.seat.own = {}
            self.seat.gently = True
            self.seat.worker.signal(signal.SIGTERM)


class Poison(Fault):
    """A job that ends each process that runs it."""

    def begin(self) -> None:
        enqueue_one(self.stage, app.poison, {})


class Block(Fault):
    """A handler that keeps the event loop of its worker to itself."""

    def begin(self) -> None:
        enqueue_one(self.stage, app.block, {"nap": self.planned.detail["seconds"]})
