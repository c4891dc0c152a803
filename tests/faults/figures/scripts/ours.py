"""soniq-sa. Its worker is its own command, with default settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine

from soniq_sa import AsyncSoniqSession
from tests.faults.figures.scripts.app import TASKS, Base
from tests.faults.figures.scripts.script import Enqueue, Script, run


class OurScript(Script):
    def engine(self) -> AsyncEngine:
        return create_async_engine(make_url(self.url).set(drivername="postgresql+asyncpg"))

    async def prepare(self) -> None:
        engine = self.engine()
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        await engine.dispose()

    async def work(self) -> None:
        raise NotImplementedError("soniq-sa worker, not this")

    @asynccontextmanager
    async def enqueueing(self) -> AsyncIterator[Enqueue]:
        engine = self.engine()
        sessions = async_sessionmaker(engine, class_=AsyncSoniqSession)

        async def enqueue(name: str, number: int, seconds: float) -> None:
            async with sessions.begin() as session:
                session.enqueue(TASKS[name], number, seconds)

        yield enqueue
        await engine.dispose()


if __name__ == "__main__":
    run(OurScript())
