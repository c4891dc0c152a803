"""Notices from a thread that the event loop does not answer, and stops the worker in its place.

While handlers run, the loop says a few times a second that it is there. A thread looks whether it
does. If not, a handler blocks it: the thread says which one and where, and if the worker is to stop
meanwhile, it gives the jobs back and ends the process when their time is over.

    runner ──begin()──▶ loop: answers every 0.2 s while handlers run
                          │
                          ▼
    thread: rests ◀──▶ looks every 0.25 s ──▶ LoopBlocked ──▶ LoopFreed
                          ├──▶ guard: a pulse       └──▶ time to stop: jobs given back, exit 0
                          ▼
            no handler for 2 s: rests, and costs nothing

A handler in compiled code that keeps Python's lock stops this thread as well. Then the pulses stop, and
the guard, a process of its own, takes over; see `soniq_sa.cli.guard`.

A handler that blocks the loop for longer than an attempt of its task may take loses its worker the lease:
else the jobs there would be stuck for as long as it goes on.

Time is counted in looks, and one look counts for half a second at most: in a process that was stopped,
or got no CPU, the loop did not have the chance to answer either.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable

from soniq_sa.events import HandlerAbandoned, LeaseLetGo, LoopBlocked, LoopFreed, WorkerStopped
from soniq_sa.runtime.departure import Departure
from soniq_sa.runtime.host import Host
from soniq_sa.runtime.jobs import HeldJob
from soniq_sa.runtime.lease import Lease
from soniq_sa.runtime.runner import Runner
from soniq_sa.runtime.stack import stack_of
from soniq_sa.runtime.stops import StopRequests
from soniq_sa.subscribers import Events

_ANSWER = 0.2
_LOOK = 0.25
"""Seconds between two answers of the loop, and between two looks at them."""
_SILENT = 0.5
"""Seconds without an answer after which the thread does what the loop should do."""
_BLOCKED = 1.0
"""Seconds without an answer that are worth a warning."""
_LINGER = 2.0
"""Seconds for which the thread goes on looking when no handler runs: another may come."""

_LEAVE = 0.7
"""Seconds for giving back the jobs; after that the process ends, and others take them over."""
_HASTE = 0.0005
"""Seconds after which a handler that calculates has to let other threads run, at the end."""


class Watch:
    """Watches one event loop; begins to when handlers do."""

    def __init__(
        self,
        events: Events,
        lease: Lease,
        runner: Runner,
        stops: StopRequests,
        *,
        host: Host,
        on_stop: Callable[[], None],
        departure: Departure,
    ) -> None:
        """Prepare; must be made in the loop.

        on_stop: Called by the thread at each look, when the worker is to stop and the loop is silent.
        departure: How jobs are given back before the thread ends the process.
        """
        self._events = events
        self._lease = lease
        self._runner = runner
        self._stops = stops
        self._host = host
        self._on_stop = on_stop
        self._departure = departure
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._turn = threading.Lock()
        self._awake = threading.Event()
        self._closing = threading.Event()
        self._wanted = False
        self._draining = False
        self._answered_at = self._seen = self._looked_at = time.monotonic()
        self._silent = 0.0
        self._blocked: LoopBlocked | None = None
        self._blocked_since = 0.0
        self._lets_go = False
        self._thread = threading.Thread(target=self._run, name="soniq-sa-watch", daemon=True)

    def start(self) -> None:
        """Start the thread, which rests until `begin`."""
        self._thread.start()

    def begin(self) -> None:
        """Watch, because handlers are about to run."""
        if self._wanted:
            return
        self._host.guard.keep_hearing()
        with self._turn:
            self._wanted = True
            self._answered_at = time.monotonic()
            if not self._awake.is_set():
                self._host.guard.pulse(
                    self._lease.worker_id
                )  # before the handler, which may block all
                self._awake.set()
        self._loop.call_later(_ANSWER, self._answer)

    def keep(self) -> None:
        """Watch until `close`, whatever runs: the worker drains."""
        self._draining = True
        self.begin()

    def close(self) -> None:
        """Let the thread end."""
        self._draining = False
        self._closing.set()
        self._awake.set()

    def _answer(self) -> None:
        self._answered_at = time.monotonic()
        self._host.guard.keep_hearing()
        if self._runner.running or self._draining:
            self._loop.call_later(_ANSWER, self._answer)
        else:
            self._wanted = False

    def _run(self) -> None:
        while not self._closing.is_set():
            self._awake.wait()
            self._attend()
        self._host.guard.rest()

    def _attend(self) -> None:
        """Look again and again, until no handler has run for some time."""
        self._silent, self._looked_at = 0.0, time.monotonic()
        self._seen = self._answered_at
        wanted_at = self._looked_at
        while not self._closing.wait(_LOOK):
            if self._wanted:
                wanted_at = time.monotonic()
            elif time.monotonic() - wanted_at > _LINGER and self._rests():
                return
            self._host.guard.pulse(self._lease.worker_id)
            self._look()

    def _rests(self) -> bool:
        """Rest, unless handlers have begun in this moment."""
        with self._turn:
            if self._wanted:
                return False
            self._host.guard.rest()
            self._awake.clear()
            return True

    def _look(self) -> None:
        for since, event in self._host.guard.told():
            self._tell_blocked(event, since)
        now, answered_at = time.monotonic(), self._answered_at
        passed, self._looked_at = now - self._looked_at, now
        if answered_at != self._seen or not self._wanted:
            self._silent = 0.0
            self._hold_lease()
            self._see_freed(answered_at, now)
            self._seen = answered_at
            return
        self._silent += min(passed, 2 * _LOOK)
        if self._silent >= _BLOCKED and self._blocked is None:
            self._tell_blocked(self._found(now - answered_at), answered_at)
        if self._silent >= _SILENT:
            self._see_to_stop()
        if self._blocked is not None and not self._lets_go:
            self._see_to_lease(self._blocked.task)

    def _see_to_lease(self, task: str | None) -> None:
        """Let the jobs go to other workers, if the handler blocks for longer than it may take."""
        limit = self._runner.limit(self._blocking_job())
        if limit and self._silent >= limit:
            self._lets_go = True
            self._events.emit(LeaseLetGo(task, self._silent))
            self._lease.let_go()

    def _hold_lease(self) -> None:
        if self._lets_go:
            self._lets_go = False
            self._lease.hold()

    def _found(self, seconds: float) -> LoopBlocked:
        job = self._blocking_job()
        name, number = (job.task, job.id) if job else (None, None)
        stack = stack_of(self._loop_thread)
        return LoopBlocked(name, number, seconds, stack, gil_held=False)

    def _blocking_job(self) -> HeldJob | None:
        return self._runner.job_of(asyncio.current_task(self._loop))

    def _tell_blocked(self, event: LoopBlocked, since: float) -> None:
        self._tell_freed(since)  # from what had blocked it before, so that each time has its end
        self._blocked, self._blocked_since = event, since
        self._events.emit(event)

    def _see_freed(self, answered_at: float, now: float) -> None:
        """Look whether the loop is free again: an answer from before the block ended says nothing."""
        if self._blocked is None:
            return
        if answered_at > self._blocked_since + self._blocked.seconds:
            self._tell_freed(answered_at)
        elif not self._wanted:  # it is not asked to answer, and this thread runs
            self._tell_freed(now)

    def _tell_freed(self, freed_at: float) -> None:
        if self._blocked is not None:
            seconds = max(0.0, freed_at - self._blocked_since)
            self._events.emit(LoopFreed(self._blocked.task, seconds))
            self._blocked = None

    def _see_to_stop(self) -> None:
        self._host.look()
        if not self._stops.asked:
            return
        self._on_stop()
        if self._host.may_exit and self._stops.left <= 0:
            self._leave()

    def _leave(self) -> None:
        """End the process in the place of the loop."""
        if job := self._blocking_job():
            self._events.emit(HandlerAbandoned(job.id, job.task))
        sys.setswitchinterval(_HASTE)
        self._events.emit(WorkerStopped(self._lease.leave(self._departure, _LEAVE)))
        os._exit(0)
