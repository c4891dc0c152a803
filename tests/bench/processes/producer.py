"""Commits one job every 20 ms, and notes when each commit returned: ``... producer KIND``."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from soniq_sa import AsyncSoniqSession
from soniq_sa.ids import uuid7
from tests.bench.app import cells, stamp
from tests.bench.processes.listening import CHANNEL

EVERY = 0.02
Enqueue = Callable[[int], Awaitable[object]]


async def main(kind: str) -> None:
    """Wait for the first job to be picked up, then go on at the fixed pace."""
    assert cells is not None
    jobs = len(cells) // 2
    async with _KINDS[kind](os.environ["SONIQ_SA_DATABASE_URL"]) as enqueue:
        for job in range(jobs):
            next_at = time.monotonic() + EVERY
            await enqueue(job)
            cells[jobs + job] = time.monotonic_ns()
            if job == 0:
                await picked_up(job)
            await asyncio.sleep(next_at - time.monotonic())


async def picked_up(job: int) -> None:
    """Wait until the handler of ``job`` has started, in another process."""
    assert cells is not None
    while cells[job] == 0:  # noqa: ASYNC110 - shared memory has no event
        await asyncio.sleep(0.01)


@asynccontextmanager
async def soniq_enqueue(url: str) -> AsyncIterator[Enqueue]:
    """Yield ``session.enqueue`` with a commit."""
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    session_of = async_sessionmaker(engine, class_=AsyncSoniqSession)

    async def enqueue(job: int) -> None:
        async with session_of.begin() as session:
            session.enqueue(stamp, job)

    yield enqueue
    await engine.dispose()


@asynccontextmanager
async def bare_enqueue(url: str) -> AsyncIterator[Enqueue]:
    """Yield an INSERT with its own NOTIFY."""
    connection = await asyncpg.connect(url)
    text = (
        "WITH new AS (INSERT INTO soniq_jobs (id, task, args) VALUES ($1, 'stamp', $2))"
        " SELECT pg_notify($3, '')"
    )

    async def enqueue(job: int) -> None:
        await connection.execute(text, uuid7(), json.dumps({"i": job}), CHANNEL)

    yield enqueue
    await connection.close()


@asynccontextmanager
async def pgqueuer_enqueue(url: str) -> AsyncIterator[Enqueue]:
    """Yield the enqueueing of PgQueuer."""
    from pgqueuer import Queries

    connection = await asyncpg.connect(url)
    queries = Queries.from_asyncpg_connection(connection)

    async def enqueue(job: int) -> None:
        await queries.enqueue("stamp", json.dumps({"i": job}).encode())

    yield enqueue
    await connection.close()


_KINDS = {"soniq": soniq_enqueue, "bare": bare_enqueue, "pgqueuer": pgqueuer_enqueue}

if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
