"""The guard's side: waits, and does what its worker cannot."""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import socket
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from soniq_sa.cli.guard.hearing import Hearing
from soniq_sa.cli.guard.stacks import Found, Named, find
from soniq_sa.cli.log import log_to_stderr

if TYPE_CHECKING:
    from soniq_sa.cli.guard.stand_in import StandIn

_log = logging.getLogger("soniq_sa")

_STALE = 2.5
"""Seconds for which the process counts as running since it was last seen to."""
_HOLDING = 0.1
"""Seconds between two judgements while a pulse is missed."""
_RETRY = 0.5
"""Seconds until the next try, when the database was away."""
_QUIET = 0.1
"""Seconds without a further stack after which the stacks are judged: one of them may say more."""
_LONGEST_TOLD = 16_000
"""Bytes of a message: much less than a pipe takes, which nobody reads now."""


@dataclass(slots=True)
class Hold:
    """A time in which Python's lock is held; limit: For how many seconds the lease is renewed."""

    began: float
    found: Found
    limit: float
    renew_at: float = 0.0
    let_go: bool = False


class GuardProcess:
    """The guard of one worker."""

    def __init__(
        self, worker: int, pulses: int, stacks: int, signals: socket.socket, told: int
    ) -> None:
        """Take over the process id of the worker, and the other ends of the pipes of `WorkerEnd`."""
        os.set_blocking(told, False)
        self._worker = worker
        self._told = told
        self.heard = Hearing(worker, pulses, stacks, signals)
        self.hold: Hold | None = None
        self._noted_at = 0.0

    def run(self) -> None:
        """Guard the worker until its end, which ends this process."""
        self.heard.start()
        while self.heard.listens:
            self.heard.news.wait(_HOLDING if self.heard.misses_pulse else None)
            self.heard.news.clear()
            self.judge(time.monotonic())

    def judge(self, now: float) -> None:
        """Look what is wrong, and do something."""
        heard = self.heard
        if self.hold is None and self._may_judge(now):
            self._note_held(now)
        if self.hold is not None and heard.back_at > self.hold.began:
            self._note_free(self.hold)
        if not heard.misses_pulse or self.hold is None:
            return
        if now >= self._leave_at:
            self._end_worker()
        elif now - heard.runs_at < _STALE and now >= self.hold.renew_at:
            self._renew(self.hold, now)

    def _may_judge(self, now: float) -> bool:
        """Tell whether all stacks have come, and Python has not run since."""
        heard = self.heard
        return (
            heard.misses_pulse and heard.dump_at > self._noted_at and now - heard.dump_at >= _QUIET
        )

    def _note_held(self, now: float) -> None:
        self._start_to_log()
        self._noted_at, began = self.heard.dump_at, self.heard.silent_since
        found = find(self.heard.dumps, self._names)
        limits = [one.limit for one in found.names] or [self.heard.about["longest"]]
        self.hold = Hold(began, found, max(limit or math.inf for limit in limits))
        _log.warning(
            "worker process %d has run no Python for %.1f s: %s keeps Python's lock (GIL), and all other "
            "handlers wait. Its lease is renewed meanwhile. It is at:\n%s",
            *(
                self._worker,
                now - began,
                found.blamed,
                found.stack,
            ),
        )
        with suppress(OSError):
            os.write(self._told, message(began, found.task, now - began, found.stack))

    def _note_free(self, hold: Hold) -> None:
        seconds = self.heard.back_at - hold.began
        _log.warning("worker process %d runs again, after %.1f s", self._worker, seconds)
        self.hold, self._noted_at = None, self.heard.dump_at

    def _renew(self, hold: Hold, now: float) -> None:
        if now - hold.began >= hold.limit:
            self._let_go(hold, now)
            return
        worker_id, stand_in = self.heard.worker_id, self._stand_in
        renewed = stand_in is not None and worker_id is not None and stand_in.extend(worker_id)
        hold.renew_at = now + (self.heard.about["beat_every"] if renewed else _RETRY)

    def _let_go(self, hold: Hold, now: float) -> None:
        if not hold.let_go:
            hold.let_go = True
            _log.error(
                "worker process %d has run no Python for %.1f s, which is more than %s may take: its lease "
                "is not renewed any more, and its jobs start elsewhere when it ends",
                *(self._worker, now - hold.began, hold.found.task or "an attempt"),
            )

    @property
    def _leave_at(self) -> float:
        """Return when a worker has to be ended that was told to stop, and cannot hear it."""
        first, *others = [*self.heard.signals_at, math.inf]
        hurried = len(others) > 1 and not self.heard.about["supervised"]
        return others[0] if hurried else first + float(self.heard.about["drain_timeout"])

    def _end_worker(self) -> None:
        """Give its jobs back and kill it: there is no other way to end it."""
        released = 0
        if self.heard.worker_id is not None and self._stand_in is not None:
            released = self._stand_in.give_back(self.heard.worker_id)
        _log.warning(
            "worker process %d was told to stop and runs no Python: %d jobs released, it is killed",
            *(self._worker, released),
        )
        if self.heard.worker_lives():
            os.kill(self._worker, signal.SIGKILL)
        self.heard.until_end()

    def _start_to_log(self) -> None:
        about = self.heard.about
        log_to_stderr(about["log_level"], several=about["supervised"])

    @cached_property
    def _names(self) -> dict[tuple[str, str], Named]:
        return {(file, name): Named(*named) for file, name, *named in self.heard.about["names"]}

    @cached_property
    def _stand_in(self) -> StandIn | None:
        """Return what talks to the database in the worker's place; None if it cannot be had."""
        # Here and not above: it loads SQLAlchemy, and then the application.
        from soniq_sa.cli.guard.stand_in import StandIn

        about = self.heard.about
        try:
            return StandIn(app=about["app"], lease=about["lease"], retention=about["retention"])
        except Exception:  # noqa: BLE001 - the user's modules, which may not load a second time
            _log.error(
                "the guard of worker process %d cannot load the application, and so not renew the lease:\n%s",
                *(self._worker, traceback.format_exc()),
            )
            return None


def message(began: float, task: str | None, seconds: float, stack: str) -> bytes:
    """Return what the worker is told; of a long stack only the begin, which is the handler."""
    while True:
        event = {"task": task, "seconds": seconds, "stack": stack}
        line = json.dumps([began, event]).encode() + b"\n"
        if len(line) <= _LONGEST_TOLD or not stack:
            return line
        stack = stack[: len(stack) * _LONGEST_TOLD // len(line)]
