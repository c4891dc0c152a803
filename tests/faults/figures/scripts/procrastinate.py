"""Procrastinate: concurrency 20, and the documented task that retries stalled jobs, every minute."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from procrastinate import App, JobContext, PsycopgConnector

from tests.faults.figures.scripts.handlers import HANDLERS
from tests.faults.figures.scripts.script import Enqueue, Script, run

CONCURRENCY = 20


class ProcrastinateScript(Script):
    def __init__(self) -> None:
        super().__init__()
        self.app = App(connector=PsycopgConnector(conninfo=self.url, max_size=CONCURRENCY + 5))
        self.tasks = {name: self.app.task(name=name)(handler) for name, handler in HANDLERS.items()}

        @self.app.periodic(cron="* * * * *")
        @self.app.task(queueing_lock="retry_stalled_jobs", pass_context=True)
        async def retry_stalled_jobs(context: JobContext, timestamp: int) -> None:
            del context, timestamp
            for job in await self.app.job_manager.get_stalled_jobs():
                await self.app.job_manager.retry_job(job)

    async def prepare(self) -> None:
        async with self.app.open_async():
            await self.app.schema_manager.apply_schema_async()

    async def work(self) -> None:
        async with self.app.open_async():
            await self.app.run_worker_async(
                concurrency=CONCURRENCY, shutdown_graceful_timeout=self.drain
            )

    @asynccontextmanager
    async def enqueueing(self) -> AsyncIterator[Enqueue]:
        async with self.app.open_async():
            yield lambda name, number, seconds: self.tasks[name].defer_async(
                i=number, seconds=seconds
            )


if __name__ == "__main__":
    run(ProcrastinateScript())
