"""soniq-sa. Its worker is its own command, with default settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import insert, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine

from soniq_sa import AsyncSoniqSession
from tests.bench.app import Base, charge, noop, noop_sync, stamp
from tests.bench.script import Enqueue, EnqueueMany, Script, run
from tests.bench.shop import Order, payload

AT_ONCE = 10_000


class OurScript(Script):
    task: Any = noop

    def engine(self) -> AsyncEngine:
        return create_async_engine(make_url(self.url).set(drivername="postgresql+asyncpg"))

    async def prepare(self, jobs: int) -> None:
        engine = self.engine()
        sessions = async_sessionmaker(engine, class_=AsyncSoniqSession)
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        for first in range(0, jobs, AT_ONCE):
            part = range(first, min(first + AT_ONCE, jobs))
            async with sessions.begin() as session:
                session.enqueue_many(self.task, [self.arguments(number) for number in part])
        await self.prepare_more(engine, jobs)
        await engine.dispose()

    def arguments(self, number: int) -> dict[str, Any]:
        """Return the arguments of one job."""
        return payload(number)

    async def prepare_more(self, engine: AsyncEngine, jobs: int) -> None:
        """Write what the handlers work on."""

    async def work(self, *, busy: bool) -> None:
        raise NotImplementedError(f"soniq-sa worker, not this (busy={busy})")

    @asynccontextmanager
    async def enqueueing(self) -> AsyncIterator[Enqueue]:
        engine = self.engine()
        sessions = async_sessionmaker(engine, class_=AsyncSoniqSession)

        async def enqueue(job: int) -> None:
            async with sessions.begin() as session:
                session.enqueue(stamp, job)

        yield enqueue
        await engine.dispose()

    @asynccontextmanager
    async def enqueueing_many(self) -> AsyncIterator[EnqueueMany]:
        engine = self.engine()
        sessions = async_sessionmaker(engine, class_=AsyncSoniqSession)

        async def enqueue(jobs: Sequence[int]) -> None:
            async with sessions.begin() as session:
                session.enqueue_many(stamp, [{"i": job} for job in jobs])

        yield enqueue
        await engine.dispose()

    def session_class(self) -> Any:
        return AsyncSoniqSession

    async def add_to(self, session: Any, number: int) -> None:
        session.enqueue(noop, **payload(number))


class SyncScript(OurScript):
    """Jobs whose handler is a plain function."""

    task = noop_sync


class SessionScript(OurScript):
    """Jobs whose handler updates a row in the session that also writes the end of the job."""

    task = charge

    def arguments(self, number: int) -> dict[str, Any]:
        return {"i": number}

    async def prepare_more(self, engine: AsyncEngine, jobs: int) -> None:
        async with engine.begin() as connection:
            if jobs:
                await connection.execute(
                    insert(Order), [{"customer": "someone", "total": 10}] * jobs
                )


if __name__ == "__main__":
    run(OurScript())
