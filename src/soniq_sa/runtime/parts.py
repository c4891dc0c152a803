"""The parts of a running worker, wired together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.application import Application
from soniq_sa.events import HandlerAbandoned, LeaseLost
from soniq_sa.models.channel import AWAITED_HINT, PEER_HINT, cancelled_ids, channel_of
from soniq_sa.outcome import LOST, Failed, Outcome, Settled, Snoozed
from soniq_sa.resources import Resource
from soniq_sa.runtime.beats import Look
from soniq_sa.runtime.claimer import Claimer, Served
from soniq_sa.runtime.departure import Departure
from soniq_sa.runtime.ends import Deletions
from soniq_sa.runtime.handlers import Handlers
from soniq_sa.runtime.host import Host
from soniq_sa.runtime.jobs import HeldJob, HeldJobs, Verdict
from soniq_sa.runtime.lease import Lease
from soniq_sa.runtime.listener import Listener
from soniq_sa.runtime.progress import ProgressWriter
from soniq_sa.runtime.prune import Pruner
from soniq_sa.runtime.recorder import Recorder
from soniq_sa.runtime.runner import Runner
from soniq_sa.runtime.service import Service, limited, wait
from soniq_sa.runtime.stops import StopRequests
from soniq_sa.runtime.upkeep import DueWatch, Rescuer
from soniq_sa.runtime.watch import Watch

if TYPE_CHECKING:
    from soniq_sa.settings import Settings

_CANCEL_GRACE, _HURRIED_GRACE = 0.5, 0.2
"""Seconds for a handler, or a statement, to end when it is told to."""
_RECORD_GRACE, _LEAVE_GRACE = 5.0, 3.5
"""Seconds for the last statements, where the database does not answer."""
_HASTE = 0.7
"""Seconds for each of these when the worker is told to stop at once."""


class Parts:
    """Everything that a worker starts and stops."""

    def __init__(
        self,
        soniq: Application,
        settings: Settings,
        served: Served,
        engine: AsyncEngine,
        *,
        resources: Mapping[Resource, Any],
        make_lease_engine: Callable[[], AsyncEngine],
        listen_engine: AsyncEngine,
        on_empty: Callable[[], None] | None,
        stops: StopRequests,
        host: Host,
        on_stop: Callable[[], None],
    ) -> None:
        self.engine = engine
        self._soniq = soniq
        self._settings = settings
        self._listen_engine = listen_engine
        self._report_empty = on_empty
        self._held = HeldJobs()
        self.progress = ProgressWriter(soniq.events, engine, soniq.models)
        self._retention = soniq.tasks.retention(settings.retention)
        self._deletions = Deletions(soniq.models, self._retention)
        self._departure = Departure(soniq.models, self._retention)
        self._handlers = Handlers(
            soniq,
            resources=resources,
            retention=self._retention,
            deletions=self._deletions,
            concurrency=settings.concurrency,
            report=self.progress.report,
        )
        self.runner = self._make_runner()
        self.lease = self._make_lease(make_lease_engine)
        self.watch = self._make_watch(stops, host, on_stop)
        self.claimer = self._make_claimer(served)
        self._make_upkeep()
        self._services: list[Service] = [
            self.listener,
            self.recorder,
            self.progress,
            self.due_watch,
            self.rescuer,
            self.pruner,
            self.claimer,
        ]

    def _make_runner(self) -> Runner:
        runner = Runner(
            concurrency=self._settings.concurrency,
            job_timeout=self._settings.job_timeout,
            on_end=self._on_end,
        )
        runner.handlers = self._handlers.by_name(runner.start_clock)
        return runner

    def _make_lease(self, make_engine: Callable[[], AsyncEngine]) -> Lease:
        return Lease(
            self._soniq.events,
            self._soniq.models,
            make_engine,
            seconds=self._settings.lease,
            every=self._settings.beat_every,
            look_every=self._settings.poll_interval,
            on_lost=self._on_lease_lost,
            on_look=self._on_look,
            on_silence=self._on_silence,
        )

    def _make_watch(self, stops: StopRequests, host: Host, on_stop: Callable[[], None]) -> Watch:
        watch = Watch(
            self._soniq.events,
            self.lease,
            self.runner,
            stops,
            host=host,
            on_stop=on_stop,
            departure=self._departure,
        )
        self.runner.on_start = watch.begin
        return watch

    def _make_claimer(self, served: Served) -> Claimer:
        return Claimer(
            self._soniq.events,
            self.engine,
            self._soniq.models,
            self.lease,
            retention=self._retention,
            held=self._held,
            served=served,
            concurrency=self._settings.concurrency,
            poll_interval=self._settings.poll_interval,
            on_claimed=self._on_claimed,
            on_cancel=self.runner.cancel_jobs,
            on_empty=None if self._report_empty is None else self._on_empty,
        )

    def _make_upkeep(self) -> None:
        events, models, settings = self._soniq.events, self._soniq.models, self._settings
        self.recorder = Recorder(
            events,
            self.engine,
            models,
            self._held,
            retention=self._retention,
            deletions=self._deletions,
            on_sent=self.claimer.note_room,
            on_recorded=self._on_recorded,
        )
        self.due_watch = DueWatch(
            events,
            self.engine,
            models,
            self.lease,
            poll_interval=settings.poll_interval,
            on_queued=self.claimer.note_queued,
        )
        self.rescuer = Rescuer(
            events,
            self.engine,
            models,
            self.lease,
            retention=self._retention,
            interval=settings.rescue_interval,
            on_queued=self.claimer.note_queued,
        )
        self.pruner = Pruner(events, self.engine, models)
        self.listener = Listener(
            events, self._listen_engine, channel_of(models.jobs), self.lease, self._on_wakeup
        )

    async def start(self, stopping: asyncio.Event) -> None:
        """Register the worker, then start all that loops; give up if ``stopping`` is set before."""
        registered = asyncio.create_task(self.lease.start())
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({registered, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        self.watch.start()
        if registered.done():
            for service in self._services:
                service.start()
        else:
            registered.cancel()

    async def stop(self, timeout: float, hurrying: asyncio.Event) -> int:
        """Drain for ``timeout`` seconds, release what is left, and return how many jobs that was.

        Whatever waits for the database meanwhile is broken off when its time is over.
        """
        self.watch.keep()
        self.runner.close()
        sources = (self.claimer, self.due_watch, self.rescuer, self.pruner)
        for service in sources:
            service.end()
        await asyncio.gather(
            limited(_stop(sources), max(timeout, _CANCEL_GRACE), hurrying, _HURRIED_GRACE),
            limited(self.runner.idle.wait(), timeout, hurrying, 0),
        )
        self.runner.cancel_all(Verdict.RELEASED)
        await wait(self.runner.idle, _HURRIED_GRACE if hurrying.is_set() else _CANCEL_GRACE)
        for job in self.runner.give_up():
            self._soniq.events.emit(HandlerAbandoned(job.id, job.task))
        await limited(self._write_ends(), _RECORD_GRACE, hurrying, _HASTE)
        await limited(self.lease.stop(self._departure), _LEAVE_GRACE, hurrying, _HASTE)
        last = (self.recorder, self.progress, self.listener)
        await limited(_stop(last), _CANCEL_GRACE, hurrying, _HURRIED_GRACE)
        await limited(self._close(), None, hurrying, _HURRIED_GRACE)
        self._handlers.close()
        self.watch.close()
        return self.recorder.released + self.lease.released

    async def _write_ends(self) -> None:
        while self.recorder.pending:
            self.recorder.wake()
            await asyncio.sleep(0.005)

    async def _close(self) -> None:
        await asyncio.gather(*(service.close() for service in self._services))
        await self._listen_engine.dispose()

    def _on_claimed(self, jobs: list[HeldJob]) -> None:
        """Run what was claimed, unless this worker was taken for dead since it asked for it."""
        for job in jobs:
            if job.worker_id != self.lease.worker_id:
                self._on_end(job, LOST)
        self.runner.add([job for job in jobs if job.worker_id == self.lease.worker_id])

    def _on_end(self, job: HeldJob, outcome: Outcome) -> None:
        self.recorder.add(job, outcome)

    def _on_recorded(self, batch: list[HeldJob]) -> None:
        self.claimer.note_over(len(batch))
        ends = [one.as_ if isinstance(one, Settled) else one for one in (j.outcome for j in batch)]
        delays = [end.delay for end in ends if isinstance(end, Failed | Snoozed)]
        if known := [delay for delay in delays if delay is not None]:
            self.due_watch.note_delay(min(known))
            if 0 in known:
                self.claimer.note_returned()

    def _on_wakeup(self, queues: frozenset[str]) -> None:
        self.claimer.note_wakeup(queues)
        self.due_watch.note_wakeup(queues)
        if ids := cancelled_ids(queues):
            self.runner.cancel_jobs(ids)
        if AWAITED_HINT in queues:
            self.recorder.note_awaited()
        if PEER_HINT in queues:
            self.lease.note_peer()
            self.rescuer.wake()

    def _on_look(self, look: Look) -> None:
        self.claimer.note_look(look)
        self.due_watch.note_look(look.left)
        self.rescuer.note_look(orphans=look.orphans)
        self.pruner.note_look(prunable=look.prunable)

    def _on_silence(self) -> None:
        """Have what wake-ups and claims need connect anew, so that the next job does not wait for it."""
        self.claimer.doubt()
        self.listener.doubt()

    def _on_lease_lost(self) -> None:
        self._soniq.events.emit(LeaseLost(self.runner.running))
        self.runner.drop_waiting()
        self.runner.cancel_all(Verdict.LOST)

    async def _on_empty(self) -> None:
        """Report that nothing is due, to a worker that ends then; or see to what is.

        What became due since the claimer looked may be in its queue by now: then it was woken.
        """
        left = await self.due_watch.seconds_to_next()
        if left is not None and left <= 0:
            self.due_watch.wake()
        elif self._report_empty is not None and not self.claimer.asked:
            self._report_empty()


async def _stop(services: Iterable[Service]) -> None:
    await asyncio.gather(*(service.stop() for service in services))
