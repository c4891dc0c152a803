"""Ten thousand jobs in one transaction: one by one, and with one call."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from soniq_sa import AsyncSoniqSession
from soniq_sa.ids import uuid7
from tests.bench.app import Base, noop
from tests.bench.plan import Plan
from tests.bench.results import Measure, Results, Target
from tests.bench.server import analyze
from tests.bench.shop import payload, plain_row

NAME = "bulk"
JOBS = 10_000

Sessions = async_sessionmaker[AsyncSoniqSession]

_ENQUEUE, _ADD_ALL = "enqueue, each", "add_all of plain rows"
_MANY, _UNNEST = "enqueue_many", "unnest by hand"
_MEASURES = (Measure("time", "us/job", 1), Measure("python", "us CPU/job", 1))
_TARGETS = (
    Target("enqueue x 10,000: time of add_all", "time", _ENQUEUE, _ADD_ALL, most=1.3),
    Target("enqueue x 10,000: Python CPU of add_all", "python", _ENQUEUE, _ADD_ALL),
    Target("enqueue_many 10,000: time of unnest by hand", "time", _MANY, _UNNEST, most=1.3),
    Target("enqueue_many 10,000: Python CPU of unnest by hand", "python", _MANY, _UNNEST),
)
_NOTES = (
    "One AsyncSession transaction on asyncpg, from its begin to the return of its commit.",
    f"{_ADD_ALL}: a mapped class with the columns of a job, its primary key and one more index.",
    f"{_UNNEST}: one INSERT through session.execute, arguments encoded by json.dumps and not checked.",
)


def measure(plan: Plan) -> Results:
    """Write ten thousand rows in each way, in turn."""
    jobs = min(JOBS, plan.jobs)
    results = Results(NAME, f"{jobs:,} jobs in one transaction", _MEASURES, _TARGETS, _NOTES)
    with plan.server.database() as url:
        asyncio.run(_measure(plan, results, url, jobs))
    return results


async def _measure(plan: Plan, results: Results, url: str, jobs: int) -> None:
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    analyze(url)
    sessions = async_sessionmaker(engine, class_=AsyncSoniqSession)
    for fill in _WAYS.values():
        await _time(sessions, fill, 10)  # connects, and compiles the statements
    for name in plan.interleave(NAME, list(_WAYS), runs=2 * plan.runs):
        results.add(name, await _time(sessions, _WAYS[name], jobs))
        async with engine.begin() as connection:
            await connection.execute(text("TRUNCATE soniq_jobs, plain_rows"))
    await engine.dispose()


async def _time(
    sessions: Sessions, fill: Callable[[AsyncSoniqSession, int], Any], jobs: int
) -> dict[str, float]:
    gc.collect()  # what the way before has left
    wall, cpu = time.perf_counter(), time.process_time()
    async with sessions.begin() as session:
        awaitable = fill(session, jobs)
        if awaitable is not None:
            await awaitable
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"time": wall / jobs * 1e6, "python": cpu / jobs * 1e6}


def _enqueue_each(session: AsyncSoniqSession, jobs: int) -> None:
    for number in range(jobs):
        session.enqueue(noop, **payload(number))


def _add_all(session: AsyncSoniqSession, jobs: int) -> None:
    session.add_all([plain_row(number) for number in range(jobs)])


def _enqueue_many(session: AsyncSoniqSession, jobs: int) -> None:
    session.enqueue_many(noop, [payload(number) for number in range(jobs)])


async def _insert_by_hand(session: AsyncSoniqSession, jobs: int) -> None:
    """Write the rows of ``enqueue_many`` without soniq-sa: checked by nobody, encoded by `json`."""
    statement = text(
        "INSERT INTO soniq_jobs (id, args, task, queue, state)"
        " SELECT id, args::jsonb, 'noop', 'default', 'queued'"
        " FROM unnest(CAST(:ids AS uuid[]), CAST(:args AS text[])) AS job(id, args)"
    )
    ids = [uuid7() for _ in range(jobs)]
    args = [json.dumps(payload(number)) for number in range(jobs)]
    await session.execute(statement, {"ids": ids, "args": args})


_WAYS: dict[str, Callable[[AsyncSoniqSession, int], Any]] = {
    _ENQUEUE: _enqueue_each,
    _ADD_ALL: _add_all,
    _MANY: _enqueue_many,
    _UNNEST: _insert_by_hand,
}
