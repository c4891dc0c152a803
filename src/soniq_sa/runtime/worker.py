"""The worker: what it serves, and how it starts and stops.

    listener ──wake──▶ claimer ──jobs──▶ runner ──outcomes──▶ recorder ──free slots──▶ claimer
    due watch ──wake──▶ claimer          lease (a thread): signs of life
    rescuer ──wake──▶ claimer        pruner: deletes jobs whose retention is over

To stop: claim nothing more, give back what has not started, wait for what runs, cancel and give back
what is left, write all ends, remove the worker's row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.application import Application
from soniq_sa.deferred import load_settings
from soniq_sa.engines import held_engine, shown_url
from soniq_sa.events import (
    DatabaseBack,
    SchemaBehind,
    WorkerDraining,
    WorkerStarted,
    WorkerStopped,
)
from soniq_sa.link import Backoff, DatabaseAway, Link
from soniq_sa.loops import loop_name
from soniq_sa.resources import Resource
from soniq_sa.retention import RetentionSetting
from soniq_sa.runtime.claimer import Served
from soniq_sa.runtime.host import Host
from soniq_sa.runtime.lifespan import Lifespan
from soniq_sa.runtime.log import log_event
from soniq_sa.runtime.parts import Parts
from soniq_sa.runtime.schema import check_schema, check_writable
from soniq_sa.runtime.service import database_lost, limited
from soniq_sa.runtime.signals import Signals
from soniq_sa.runtime.stops import StopRequests


class Worker:
    """A worker inside a running event loop; `Soniq.run_worker` is the short form.

    Options that are not given come from the settings (``SONIQ_SA_...``, see `Settings`), read in
    `run`. All durations are seconds.

    Example::

        worker = Worker(soniq, queues=["billing"], concurrency=20)
        task = asyncio.create_task(worker.run())
        ...
        worker.stop()
        await task
    """

    def __init__(
        self,
        soniq: Application,
        *,
        queues: Iterable[str] | str | None = None,
        concurrency: int | None = None,
        run_once: bool = False,
        poll_interval: float | None = None,
        lease: float | None = None,
        heartbeat: float | None = None,
        rescue_interval: float | None = None,
        drain_timeout: float | None = None,
        job_timeout: float | None = None,
        retention_done: RetentionSetting = None,
        retention_cancelled: RetentionSetting = None,
        retention_dead: RetentionSetting = None,
        listen_url: str | None = None,
    ) -> None:
        """Check the options; raise `ConfigurationError` or `UnknownQueueError`.

        queues: The queues to serve, as a list or comma-separated. Default: every queue, also those
            that come up later.
        concurrency: How many jobs run at a time. Default 200.
        run_once: Work until nothing is due, then return.
        poll_interval, lease, heartbeat, rescue_interval, drain_timeout, job_timeout, retention_done,
            retention_cancelled, retention_dead, listen_url: See `Settings`.
        """
        self.soniq = soniq
        self.settings = load_settings(
            queues=tuple(queues) if not isinstance(queues, str | None) else queues,
            concurrency=concurrency,
            poll_interval=poll_interval,
            lease=lease,
            heartbeat=heartbeat,
            rescue_interval=rescue_interval,
            drain_timeout=drain_timeout,
            job_timeout=job_timeout,
            retention_done=retention_done,
            retention_cancelled=retention_cancelled,
            retention_dead=retention_dead,
            listen_url=listen_url,
        )
        self._run_once = run_once
        for name in self.settings.queues or ():
            soniq.tasks.check_queue(name)
        self.host = Host()
        self.stops = StopRequests(self.settings.drain_timeout)
        self._told_draining = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._hurrying = asyncio.Event()

    def stop(self) -> None:
        """Have the worker drain and return; called again, release everything and return at once."""
        self.stops.note()
        self._obey()

    def stop_threadsafe(self) -> None:
        """Do as `stop`, from another thread, or from a signal handler."""
        self.stops.note()
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended, and with it the worker
                self._loop.call_soon_threadsafe(self._obey)

    def _obey(self) -> None:
        if self.stops.asked:
            self._stopping.set()
        if self.stops.hurried:
            self._hurrying.set()

    async def run(self, *, handle_signals: bool = False) -> None:
        """Work until `stop` is called, or with ``run_once`` until nothing is due.

        handle_signals: Have SIGTERM and SIGINT call `stop`. Then it may also end the process, with 0,
            when a handler that blocks the event loop goes on after the drain timeout.

        What happens is written to the logger ``soniq_sa``; for more, see ``soniq.events``. Waits, and
        says so, while the database is away. Raises `SchemaMissingError` if its tables are
        not there, `TaskDefinitionError` for a handler that cannot be run, and `ResourceError` for a
        resource that cannot be opened.
        """
        for task in self.soniq.tasks:
            _ = task.codec
        self.soniq.tasks.check_stubs()
        self.soniq.resources.check(self.soniq.tasks)
        self.soniq.events.subscribe(log_event)
        self._loop = asyncio.get_running_loop()
        self._obey()
        signals = Signals(self.stop_threadsafe, self.host.guard)
        engine = self._own_engine(None)
        try:
            if handle_signals:
                self.host = replace(self.host, may_exit=True)
                signals.catch()
            if await self._await_database(engine):
                await self._work(engine)
        finally:
            await engine.dispose()
            await self.soniq.databases.dispose()
            if handle_signals:
                signals.release()

    async def _await_database(self, engine: AsyncEngine) -> bool:
        """Wait until the database answers; return False if the worker was stopped before."""
        await limited(self._until_it_answers(engine), None, self._stopping, 0)
        return not self._stopping.is_set()

    async def _until_it_answers(self, engine: AsyncEngine) -> None:
        link, backoff, told = Link(engine), Backoff(), False
        try:
            while True:
                try:
                    await check_writable(link)
                    missing = await check_schema(link, self.soniq.models)
                except DatabaseAway as error:
                    pause = backoff.next()
                    if not told:
                        self.soniq.events.emit(database_lost(shown_url(engine), error, pause))
                    told = True
                    await asyncio.sleep(pause)
                else:
                    if told:
                        self.soniq.events.emit(DatabaseBack(shown_url(engine)))
                    if missing:
                        self.soniq.events.emit(SchemaBehind(shown_url(engine), tuple(missing)))
                    return
        finally:
            await link.close()

    async def _work(self, engine: AsyncEngine) -> None:
        lifespan = Lifespan(self.soniq.events, self.soniq.resources, on_lost=self._stopping.set)
        try:
            if await lifespan.open(self._stopping):
                await self._work_with(engine, lifespan.values)
        finally:
            await lifespan.close(self._hurrying)
        lifespan.check()

    async def _work_with(self, engine: AsyncEngine, resources: Mapping[Resource, Any]) -> None:
        parts = Parts(
            self.soniq,
            self.settings,
            self._served,
            engine,
            resources=resources,
            make_lease_engine=lambda: self._own_engine(self._listen_url),
            listen_engine=self._own_engine(self._listen_url),
            on_empty=self.stop if self._run_once else None,
            stops=self.stops,
            host=self.host,
            on_stop=lambda: self._tell_draining(parts),
        )
        try:
            await self._start(parts)
            await self._stopping.wait()
        except asyncio.CancelledError:
            self._hurrying.set()
            raise
        finally:
            await self._drain(parts)

    async def _start(self, parts: Parts) -> None:
        await parts.start(self._stopping)
        self.soniq.events.emit(
            WorkerStarted(
                parts.lease.worker_id,
                shown_url(parts.engine),
                self._served.queues or (),
                self._served.tasks,
                self.settings.concurrency,
                parts.lease.direct,
                loop_name(),
            )
        )

    async def _drain(self, parts: Parts) -> None:
        self._tell_draining(parts)
        timeout = min(self.settings.drain_timeout, self.stops.left)
        released = await parts.stop(timeout, self._hurrying)
        self.soniq.events.emit(WorkerStopped(released))

    def _tell_draining(self, parts: Parts) -> None:
        """Tell it once: the watch does, if the loop is blocked when the worker is to stop."""
        if not self._told_draining:
            self._told_draining = True
            timeout = self.settings.drain_timeout
            self.soniq.events.emit(WorkerDraining(parts.runner.running, timeout))

    @property
    def _served(self) -> Served:
        tasks = self.soniq.tasks
        return Served(self.settings.queues, tuple(sorted(tasks.queues)), tuple(tasks.names))

    @property
    def _listen_url(self) -> str | None:
        url = self.settings.listen_url
        return None if url is None else url.get_secret_value()

    def _own_engine(self, url: str | None) -> AsyncEngine:
        return held_engine(url or self.soniq.databases.engine)
