"""An application on a database of its own, and its dead letters."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Row, insert, text
from sqlalchemy.ext.asyncio import async_sessionmaker

from soniq_sa import AsyncSoniqSession, DeadLetters, Soniq
from soniq_sa.engines import make_async_engine
from soniq_sa.ids import uuid7
from soniq_sa.localserver.databases import libpq_url
from soniq_sa.models.channel import channel_of
from tests.dead_letters.models import Base, Job

PATIENCE = 10.0
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Office:
    """One application, with what a test asks about it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = make_async_engine(url)
        self.sessions = async_sessionmaker(self.engine, class_=AsyncSoniqSession)
        self.soniq = Soniq(Base.metadata, engine=self.engine)

    @property
    def letters(self) -> DeadLetters:
        """Return what is tested."""
        return self.soniq.dead_letters

    async def add(self, number: int = 1, **values: Any) -> list[UUID]:
        """Commit dead jobs, one second after the other, and return their ids, the oldest first."""
        rows = [
            {
                "id": uuid7(),
                "task": "send",
                "state": "dead",
                "reason": "retries exhausted",
                "error": "ValueError: no",
                "args": {"number": index},
                "attempts": 4,
                "claims": 4,
                "finished_at": LONG_AGO + timedelta(seconds=index),
                **values,
            }
            for index in range(number)
        ]
        async with self.engine.begin() as connection:
            await connection.execute(insert(Job.__table__), rows)  # type: ignore[arg-type]
        return [row["id"] for row in rows]

    async def one(self, **values: Any) -> UUID:
        """Commit one dead job, and return its id."""
        (job_id,) = await self.add(**values)
        return job_id

    async def rows(self, statement: str, **parameters: Any) -> Sequence[Row[Any]]:
        """Run a statement in a transaction of its own."""
        async with self.engine.begin() as connection:
            result = await connection.execute(text(statement), parameters)
            return result.all() if result.returns_rows else ()

    async def row(self, job_id: UUID) -> Row[Any]:
        """Return the row of a job."""
        (row,) = await self.rows("SELECT * FROM soniq_jobs WHERE id = :id", id=job_id)
        return row

    async def values(self, job_id: UUID) -> dict[str, Any]:
        """Return the values of a job, by the names of the columns."""
        async with self.engine.begin() as connection:
            result = await connection.execute(
                text("SELECT * FROM soniq_jobs WHERE id = :id"), {"id": job_id}
            )
            return dict(result.mappings().one())

    async def fresh(self) -> Sequence[Row[Any]]:
        """Return the rows of the jobs that replays have made, in the order of their ids."""
        return await self.rows("SELECT * FROM soniq_jobs WHERE replay_of IS NOT NULL ORDER BY id")

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[list[str]]:
        """Collect what is said to the workers."""
        heard: list[str] = []
        connection = await asyncpg.connect(libpq_url(self.url))
        try:
            await connection.add_listener(
                channel_of(self.soniq.models.jobs), lambda *said: heard.append(said[-1])
            )
            yield heard
        finally:
            await connection.close()

    async def waiting_for_locks(self, number: int) -> None:
        """Wait until so many sessions of this database wait for a lock."""
        await self.until(lambda: self._waiting(number))

    async def _waiting(self, number: int) -> bool:
        (row,) = await self.rows(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND datname = current_database()"
        )
        return bool(row[0] >= number)

    @staticmethod
    async def until(condition: Callable[[], Any]) -> None:
        """Wait for a condition, which may be awaited."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = condition()
            if await found if asyncio.iscoroutine(found) else found:
                return
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
