"""`Soniq`: what the modules of an application import."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict, Unpack
from uuid import UUID

from sqlalchemy import MetaData

from soniq_sa.application import Application
from soniq_sa.databases import AnyEngine, AnySessionmaker
from soniq_sa.handle import JobHandle
from soniq_sa.reading import Reader, ReturnWhen
from soniq_sa.record import JobRecord
from soniq_sa.runtime.worker import Worker


class WorkerOptions(TypedDict, total=False):
    """The options of a worker; see `Worker`."""

    queues: Iterable[str] | str | None
    concurrency: int | None
    run_once: bool
    poll_interval: float | None
    lease: float | None
    heartbeat: float | None
    rescue_interval: float | None
    drain_timeout: float | None
    job_timeout: float | None
    listen_url: str | None


class Soniq(Application):
    """The jobs of one application: its tasks, its tables, its database.

    metadata: The metadata that holds the job tables (see `soniq_sa.models.include_tables`).
    engine: The application's engine, async or sync. Default: that of ``sessionmaker``, else one made
        from ``database_url``, else from ``SONIQ_SA_DATABASE_URL``, when it is first needed.
    sessionmaker: Makes the sessions of handlers and of `enqueue`. Default: one for ``engine``, with
        `AsyncSoniqSession` (or `SoniqSession` for sync handlers).
    queues: The queues there are. If given, any other queue is refused; else only near misses of a
        queue that some task uses.

    Example::

        soniq = Soniq(Base.metadata)

        @soniq.job(queue="billing", retries=5)
        async def send_invoice(order: Order, *, session: AsyncSession = inject()) -> None: ...
    """

    def __init__(
        self,
        metadata: MetaData,
        *,
        engine: AnyEngine | None = None,
        sessionmaker: AnySessionmaker | None = None,
        database_url: str | None = None,
        queues: Iterable[str] = (),
    ) -> None:
        super().__init__(
            metadata,
            engine=engine,
            sessionmaker=sessionmaker,
            database_url=database_url,
            queues=queues,
        )
        self._reader = self.tasks.reader = Reader(self)

    async def get_job(self, job_id: UUID) -> JobRecord | None:
        """Return a job as it stands in the database; None if there is none with that id."""
        return await self._reader.find(job_id)

    async def wait(
        self,
        handles: Iterable[JobHandle[Any]],
        *,
        timeout: float | None = None,
        return_when: ReturnWhen = "all",
    ) -> tuple[set[JobHandle[Any]], set[JobHandle[Any]]]:
        """Wait until jobs have ended, in whatever way; return those that have, and the others.

        timeout: Seconds to wait. None (the default): for ever. When it is over, nothing is raised.
        return_when: ``"all"`` (the default), or ``"first"``: as soon as one has ended.

        Example::

            ended, running = await soniq.wait(handles, timeout=60)
        """
        return await self._reader.wait(handles, timeout, return_when)

    async def run_worker(
        self, *, handle_signals: bool = True, **options: Unpack[WorkerOptions]
    ) -> None:
        """Run a worker in this event loop until SIGTERM or SIGINT; see `Worker` for the options.

        handle_signals: Default True. Give False where the program handles signals itself, and use
            `Worker` to stop it.
        """
        await Worker(self, **options).run(handle_signals=handle_signals)
