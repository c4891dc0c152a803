"""The session work of `our_session`, written by hand: no queue, no jobs.

As many sessions at a time as a worker has: what its pool allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from sqlalchemy import make_url, text, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from tests.bench.processes.ours import SessionScript
from tests.bench.script import run
from tests.bench.shop import Order

CONNECTIONS = 15
"""The pool of SQLAlchemy's default engine, with its overflow."""


class ByHandScript(SessionScript):
    async def work(self, *, busy: bool) -> None:
        del busy
        engine = create_async_engine(make_url(self.url).set(drivername="postgresql+asyncpg"))
        sessions = async_sessionmaker(engine, class_=AsyncSession)
        async with sessions() as session:
            orders = (await session.execute(text("SELECT count(*) FROM soniq_jobs"))).scalar_one()
        left = iter(range(1, orders + 1))
        await asyncio.gather(*(self._work_off(sessions, left) for _ in range(CONNECTIONS)))
        await asyncio.Event().wait()

    async def _work_off(
        self, sessions: async_sessionmaker[AsyncSession], left: Iterator[int]
    ) -> None:
        for number in left:
            async with sessions.begin() as session:
                change = update(Order).where(Order.id == number).values(total=Order.total + 1)
                await session.execute(change)
            self.tally.count()


if __name__ == "__main__":
    run(ByHandScript())
