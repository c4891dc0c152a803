"""A database in which a worker has run jobs to all kinds of ends, and what was done to it by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncSession

from soniq_sa import AuditReport, AuditResult, Cancel, Retry, Soniq, inject
from soniq_sa.engines import make_async_engine, make_sync_engine
from soniq_sa.models import include_tables

WAITING = """
UPDATE soniq_jobs SET run_at = now() WHERE task = 'elsewhere';
INSERT INTO soniq_workers (id, name, expires_at)
VALUES ('00000000-0000-4000-8000-000000000001', 'host:1', now() + interval '1 hour');
INSERT INTO soniq_jobs (id, task, state, claims, worker_id, claimed_at)
VALUES ('00000000-0000-4000-8000-00000000000a', 'running', 'processing', 1,
        '00000000-0000-4000-8000-000000000001', now());
"""
"""Makes a copy current: a job that has just been queued, and one that runs on a living worker."""


def new_app(url: str) -> Soniq:
    """Return an application with its tasks."""
    metadata = MetaData()
    include_tables(metadata)
    soniq = Soniq(metadata, database_url=url, unknown_tasks="none")

    @soniq.job(name="good", queue="billing")
    async def good(number: int, session: AsyncSession = inject()) -> int:
        await session.execute(text("SELECT 1"))
        return number

    @soniq.job(name="flaky")
    async def flaky() -> Any:
        raise Retry(delay=0, reason="not yet")

    @soniq.job(name="failing", retries=1, retry_delay=0)
    async def failing() -> None:
        raise ValueError("no")

    @soniq.job(name="unwanted")
    async def unwanted() -> None:
        raise Cancel("no longer")

    return soniq


async def fill(url: str) -> None:
    """Have a worker run jobs to all kinds of ends."""
    soniq = new_app(url)
    engine = make_async_engine(url)
    await soniq.create_all(engine)
    await engine.dispose()
    tasks = {task.name: task for task in soniq.tasks}
    await soniq.enqueue_many(tasks["good"], [{"number": number} for number in range(3)])
    for name in ("flaky", "failing", "unwanted"):
        await soniq.enqueue(tasks[name])
    await soniq.enqueue(tasks["good"].options(delay=3600, queue="later"), 7)
    withdrawn = await soniq.enqueue(tasks["good"].options(delay=3600), 8)
    await soniq.cancel(withdrawn)
    await soniq.run_worker(run_once=True, handle_signals=False)
    (letter,) = await soniq.dead_letters.list(task="failing")
    await soniq.dead_letters.replay(letter.id)
    await soniq.run_worker(run_once=True, handle_signals=False)
    await soniq.enqueue(soniq.ref("elsewhere"))
    await soniq.databases.dispose()


class Ledger:
    """One copy of that database."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.soniq = new_app(url)
        self._engine = make_sync_engine(url)
        self.execute(WAITING)

    def execute(self, statements: str) -> None:
        """Execute statements of somebody who writes to the tables by hand."""
        with self._engine.begin() as connection:
            for statement in filter(str.strip, statements.split(";")):
                connection.exec_driver_sql(statement.replace("%", "%%"))

    async def audit(self, **options: Any) -> AuditReport:
        """Return what an audit finds."""
        try:
            return await self.soniq.audit(**options)
        finally:
            await self.soniq.databases.dispose()

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def broken(report: AuditReport) -> dict[str, AuditResult]:
    """Return the checks that found something, by their names."""
    return {one.check: one for one in (*report.violations, *report.warnings)}
