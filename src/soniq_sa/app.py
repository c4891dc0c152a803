"""`Soniq`: what the modules of an application import."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict, Unpack

from soniq_sa.application import Application
from soniq_sa.retention import RetentionSetting
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
    retention_done: RetentionSetting
    retention_cancelled: RetentionSetting
    retention_dead: RetentionSetting
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
    unknown_tasks: What becomes of jobs by a name that nothing here declares: ``"strict"`` (the default)
        raises `UnknownTaskError`, ``"warn"`` issues an `UnknownTaskWarning`, ``"none"`` is silent. See
        `Soniq.ref`.
    redact: Names of fields that are secret in arguments, results and headers, beside the usual ones
        (``password``, ``token`` and so on): they are stored, and not shown in errors, logs and
        exports. Default: none.

    Example::

        soniq = Soniq(Base.metadata)

        @soniq.job(queue="billing", retries=5)
        async def send_invoice(order: Order, *, session: AsyncSession = inject()) -> None: ...
    """

    async def run_worker(
        self, *, handle_signals: bool = True, **options: Unpack[WorkerOptions]
    ) -> None:
        """Run a worker in this event loop until SIGTERM or SIGINT; see `Worker` for the options.

        handle_signals: Default True. Give False where the program handles signals itself, and use
            `Worker` to stop it.
        """
        await Worker(self, **options).run(handle_signals=handle_signals)
