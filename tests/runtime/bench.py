"""An application and its worker, both in the event loop of the test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from soniq_sa import AsyncSoniqSession, JobHandle, Soniq, Worker
from soniq_sa.engines import make_async_engine
from soniq_sa.events import Event, WorkerStarted
from soniq_sa.runtime.host import Host
from tests.runtime.models import Base, Effect

PATIENCE = 10.0
LONG_POLL = 30.0
"""A poll interval that no test outlives: what happens sooner was not found by polling."""

E = TypeVar("E", bound=Event)


class Bench:
    """One application on one database, with what a test asks about it."""

    def __init__(self, url: str, **engine_options: Any) -> None:
        self.url = url
        self.engine: AsyncEngine = make_async_engine(url)
        if engine_options:
            self.engine = self.engine.execution_options(**engine_options)
        self.sessions = async_sessionmaker(self.engine, class_=AsyncSoniqSession)
        self.soniq = Soniq(Base.metadata, engine=self.engine)
        self.seen: list[Event] = []
        self.soniq.events.subscribe(self.seen.append)

    def task(self, **options: Any) -> Any:
        """Register a task under the name of the function alone."""

        def register(function: Any) -> Any:
            return self.soniq.job(**{"name": function.__name__, **options})(function)

        return register

    @asynccontextmanager
    async def worker(self, host: Host | None = None, **options: Any) -> AsyncIterator[Worker]:
        """Run a worker that has started, and stop it at the end, whatever it is doing.

        host: The program around it. Default: as in a program that has embedded it.
        """
        worker = Worker(self.soniq, **{"poll_interval": LONG_POLL, "concurrency": 10, **options})
        worker.host = host or worker.host
        started = len(self.events_of(WorkerStarted))
        running = asyncio.create_task(worker.run())
        try:
            await self.until(
                lambda: running.done() or len(self.events_of(WorkerStarted)) > started,
                "the worker to start",
            )
            assert not running.done(), running.exception()
            yield worker
            assert not running.done(), "the worker ended by itself"
        finally:
            worker.stop()
            worker.stop()
            async with asyncio.timeout(PATIENCE):
                await running

    async def run_once(self, **options: Any) -> None:
        """Work until nothing is due."""
        async with asyncio.timeout(PATIENCE):
            await Worker(self.soniq, run_once=True, **options).run()

    async def take_away(self, *, claims: int = 1) -> None:
        """Give every job that runs to another worker that lives, as if it had claimed so often since."""
        other = uuid4()
        await self.rows(
            "INSERT INTO soniq_workers (id, name, expires_at) "
            "VALUES (:id, 'another', now() + interval '1 hour')",
            id=other,
        )
        await self.rows(
            "UPDATE soniq_jobs SET claims = claims + :claims, worker_id = :id "
            "WHERE state = 'processing'",
            claims=claims,
            id=other,
        )

    async def add(self, *entities: Any) -> None:
        """Commit entities, which stay readable."""
        async with async_sessionmaker(self.engine, expire_on_commit=False).begin() as session:
            session.add_all(entities)

    async def row(self, handle: JobHandle[Any] | UUID) -> Row[Any]:
        """Return the row of a job."""
        job_id = handle.id if isinstance(handle, JobHandle) else handle
        (row,) = await self.rows("SELECT * FROM soniq_jobs WHERE id = :id", id=job_id)
        return row

    async def attempts(self, handle: JobHandle[Any]) -> Sequence[Row[Any]]:
        """Return the rows of the attempts of a job that did not succeed."""
        return await self.rows(
            "SELECT * FROM soniq_attempts WHERE job_id = :id ORDER BY claim", id=handle.id
        )

    async def effects(self) -> list[str | None]:
        """Return the notes of the committed effects."""
        async with self.sessions() as session:
            return list(await session.scalars(select(Effect.note).order_by(Effect.id)))

    async def rows(self, statement: str, **parameters: Any) -> Sequence[Row[Any]]:
        """Run a statement in a transaction of its own."""
        async with self.engine.begin() as connection:
            result = await connection.execute(text(statement), parameters)
            return result.all() if result.returns_rows else ()

    def events_of(self, kind: type[E]) -> list[E]:
        """Return the events of one kind, in their order."""
        return [event for event in self.seen if isinstance(event, kind)]

    async def until_state(
        self, handle: JobHandle[Any], state: str, patience: float = PATIENCE
    ) -> Row[Any]:
        """Wait until a job has a state, and return its row."""
        row: list[Row[Any]] = []

        async def reached() -> bool:
            row[:] = [await self.row(handle)]
            return bool(row[0].state == state)

        await self.until(reached, lambda: f"{handle.name} to be {state}: {row}", patience)
        return row[0]

    async def until_due(self, handle: JobHandle[Any]) -> None:
        """Wait until the time of a job has come, whether it is queued or not."""

        async def due() -> bool:
            return bool((await self.rows("SELECT now() >= :time", time=run_at))[0][0])

        run_at = (await self.row(handle)).run_at
        await self.until(due, "the time of the job")

    @staticmethod
    async def until(
        condition: Callable[[], bool | Awaitable[bool]],
        what: str | Callable[[], str],
        patience: float = PATIENCE,
    ) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + patience
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            if time.monotonic() > deadline:
                told = what if isinstance(what, str) else what()
                raise AssertionError(f"waited {patience:g} s for {told}")
            await asyncio.sleep(0.01)
