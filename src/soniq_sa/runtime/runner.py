"""Runs claimed jobs: so many at a time, each in a task of its own.

Whatever a handler does ends as an `Outcome`. A handler is cancelled for one of three reasons, its
verdict: it took too long, the worker leaves, or the job was taken over by another worker. Time limits
are watched by one timer for all running jobs, not by one each.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from soniq_sa.outcome import LOST, RELEASED, Cancelled, Done, Outcome, Settled
from soniq_sa.runtime.failure import expired, outcome_of, timed_out
from soniq_sa.runtime.handler import Handler
from soniq_sa.runtime.jobs import HeldJob, Verdict

_TICK = 0.05
"""Seconds between two looks at the time limits."""

OnEnd = Callable[[HeldJob, Outcome], None]


def _nothing() -> None:
    """Do nothing."""


class Runner:
    """Start jobs while there are slots, and hand each outcome on."""

    def __init__(self, *, concurrency: int, job_timeout: float, on_end: OnEnd) -> None:
        """Prepare; ``job_timeout`` holds for tasks that have none of their own, 0 is no limit.

        ``on_start`` is called before jobs begin to run.
        """
        self.handlers: dict[str, Handler] = {}
        self.on_start: Callable[[], None] = _nothing
        self._concurrency = concurrency
        self._job_timeout = job_timeout
        self._on_end = on_end
        self._waiting: deque[HeldJob] = deque()
        self._running: set[HeldJob] = set()
        self.idle = asyncio.Event()
        self.idle.set()
        self._ticking = False
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()

    @property
    def running(self) -> int:
        """Return how many handlers run."""
        return len(self._running)

    def job_of(self, task: asyncio.Task[Any] | None) -> HeldJob | None:
        """Return the job whose async handler runs in ``task``; may be called in another thread.

        For a task that a handler has started it is the only job that there is, or None.
        """
        jobs = [job for job in list(self._running) if self.handlers[job.task].task.is_async]
        own = [job for job in jobs if job.running is task]
        found = own if task is None or own else jobs
        return found[0] if len(found) == 1 else None

    def add(self, jobs: list[HeldJob]) -> None:
        """Run ``jobs`` in this order, as slots become free."""
        if jobs:
            self.on_start()
        self._waiting.extend(jobs)
        if self._closed:
            self.release_waiting()
        self._fill()

    def start_clock(self, job: HeldJob) -> None:
        """Begin to count the time of the attempt."""
        limit = self.limit(job)
        if limit:
            job.deadline = self._loop.time() + limit
            if not self._ticking:
                self._ticking = True
                self._loop.call_later(_TICK, self._tick)

    def close(self) -> None:
        """Start nothing any more; give back what has not started."""
        self._closed = True
        self.release_waiting()

    def release_waiting(self) -> None:
        """Give back the jobs that have not started."""
        while self._waiting:
            self._end(self._waiting.popleft(), RELEASED)

    def cancel_all(self, verdict: Verdict) -> None:
        """Cancel every running handler."""
        for job in list(self._running):
            self._cancel(job, verdict)

    def cancel_jobs(self, ids: Collection[UUID]) -> None:
        """Cancel these jobs, if they are here: sync handlers are only told."""
        for job in [job for job in self._waiting if job.id in ids]:
            self._waiting.remove(job)
            self._end(job, Cancelled(None))
        for job in [job for job in self._running if job.id in ids]:
            job.cancel_flag.is_set = True
            if self.handlers[job.task].task.is_async:
                self._cancel(job, Verdict.CANCELLED)

    def drop_waiting(self) -> None:
        """Forget the jobs that have not started: they are another worker's."""
        while self._waiting:
            self._end(self._waiting.popleft(), LOST)

    def give_up(self) -> list[HeldJob]:
        """Give back the jobs whose handlers do not end, and return them."""
        left = list(self._running)
        for job in left:
            self._on_end(job, RELEASED)
        self._running.clear()
        return left

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self._concurrency and not self._closed:
            job = self._waiting.popleft()
            if job.expires is not None and job.expires <= self._loop.time():
                self._end(job, expired())
                continue
            task = self.handlers[job.task].task
            job.retrying, job.redaction = task.retrying, task.tasks.redaction
            self._running.add(job)
            self.idle.clear()
            job.running = self._loop.create_task(self._run(job), context=self._context.copy())

    async def _run(self, job: HeldJob) -> None:
        outcome = await self._outcome(job)
        if job in self._running:
            self._running.discard(job)
            self._end(job, outcome)
        if self._waiting:
            self._fill()
        if not self._running:
            self.idle.set()

    async def _outcome(self, job: HeldJob) -> Outcome:
        handler = self.handlers[job.task]
        try:
            outcome = await handler.run(job)
        except BaseException as error:  # noqa: BLE001 - the border of user code: all of it ends here
            outcome = RELEASED if job.verdict is not None else outcome_of(error, job)
        return self._after_verdict(job, outcome)

    def _after_verdict(self, job: HeldJob, outcome: Outcome) -> Outcome:
        if job.verdict is None or isinstance(outcome, Settled):
            return outcome
        match job.verdict:
            case Verdict.TIMED_OUT:
                return timed_out(self.limit(job), job)
            case Verdict.LOST:
                return LOST
            case Verdict.CANCELLED:
                return outcome if isinstance(outcome, Done) else Cancelled(None)
            case Verdict.RELEASED:
                return outcome if isinstance(outcome, Done) else RELEASED

    def _end(self, job: HeldJob, outcome: Outcome) -> None:
        job.running = None
        self._on_end(job, outcome)

    def _cancel(self, job: HeldJob, verdict: Verdict) -> None:
        if job.verdict is None and job.running is not None:
            job.verdict = verdict
            job.running.cancel()

    def _tick(self) -> None:
        now = self._loop.time()
        for job in list(self._running):
            if job.deadline is not None and job.deadline <= now:
                self._cancel(job, Verdict.TIMED_OUT)
        self._ticking = bool(self._running)
        if self._ticking:
            self._loop.call_later(_TICK, self._tick)

    def limit(self, job: HeldJob | None) -> float:
        """Return the seconds that an attempt may take, 0 for ever; without a job, the default."""
        if job is not None:
            for limit in (job.timeout, self.handlers[job.task].task.timeout):
                if limit is not None:
                    return limit
        return self._job_timeout
