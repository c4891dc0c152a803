"""What enqueueing adds to the application's own transaction, in async sessions on asyncpg."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from unittest.mock import patch

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from soniq_sa import AsyncSoniqSession
from soniq_sa.ids import uuid7
from tests.bench.app import Order, PlainRow, noop, payload
from tests.bench.meter import Figures
from tests.bench.plan import Plan
from tests.bench.preparing import prepare_tables
from tests.bench.results import Measure, Ratio, Results

NAME = "enqueue"
TRANSACTIONS = 300
COMMITTERS = 32
COMMITS_EACH = 20

Sessions = async_sessionmaker[AsyncSoniqSession]
Fill = Callable[[AsyncSoniqSession], object]
"""Puts into a session what its transaction is to write."""

_ORDER, _JOB, _ROW = "order alone", "order and job", "order and plain row"
_MANY, _UNNEST = "enqueue_many", "hand-written unnest"
_ENQUEUE, _ADD_ALL = "enqueue each", "add_all of plain rows"
_WAKING, _SILENT = "committers, wake-up", "committers, no wake-up"


def enqueue(plan: Plan) -> Results:
    """Measure one job, many jobs and many committers, run by run."""
    results = Results(NAME, _title(plan), _MEASURES, _RATIOS, _NOTES)
    for part in plan.interleave(NAME, tuple(_PARTS)):
        with plan.server.database() as url:
            prepare_tables(url)
            figures = asyncio.run(_measure(part, url, max(1, plan.jobs // 2)))
        for system, found in figures.items():
            results.add(system, found)
    return results


async def _measure(part: str, url: str, jobs: int) -> dict[str, Figures]:
    async with _sessions(url) as sessions:
        return await _PARTS[part](sessions, jobs)


@asynccontextmanager
async def _sessions(url: str) -> AsyncIterator[Sessions]:
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"), pool_size=COMMITTERS
    )
    yield async_sessionmaker(engine, class_=AsyncSoniqSession)
    await engine.dispose()


async def _one_job(sessions: Sessions, _jobs: int) -> dict[str, Figures]:
    """Time transactions in turn: an order alone, with a job, with a plain row."""
    fills: dict[str, Fill] = {
        _ORDER: _add_order,
        _JOB: _add_order_and_job,
        _ROW: _add_order_and_row,
    }
    times: dict[str, list[float]] = {name: [] for name in fills}
    for _ in range(TRANSACTIONS):
        for name, fill in fills.items():
            times[name].append(await _time(sessions, fill))
    middle = {
        name: statistics.median(values[TRANSACTIONS // 10 :]) for name, values in times.items()
    }
    return {
        name: {"transaction": [value * 1e6], "added": [(value - middle[_ORDER]) * 1e6]}
        for name, value in middle.items()
    }


async def _many_jobs(sessions: Sessions, jobs: int) -> dict[str, Figures]:
    """Time one transaction with all jobs, for each way to write them."""
    numbers = range(jobs)
    fills: dict[str, Fill] = {
        _ENQUEUE: lambda session: [session.enqueue(noop, **payload(n)) for n in numbers],
        _ADD_ALL: lambda session: session.add_all([_plain_row(n) for n in numbers]),
        _MANY: lambda session: session.enqueue_many(noop, [payload(n) for n in numbers]),
    }
    times = {name: await _time(sessions, fill) for name, fill in fills.items()}
    times[_UNNEST] = await _time_unnest(sessions, jobs)
    return {name: {"each": [seconds / jobs * 1e6]} for name, seconds in times.items()}


async def _committers(sessions: Sessions, _jobs: int) -> dict[str, Figures]:
    """Time concurrent transactions with an order and a job, with and without the wake-up."""
    silence = patch("soniq_sa.session.unit_of_work.wake")
    rates = {}
    for name, waking in ((_WAKING, nullcontext()), (_SILENT, silence)):
        rates[name] = await _commit_rate(sessions, waking)
    return {name: {"commits": [rate]} for name, rate in rates.items()}


async def _commit_rate(sessions: Sessions, around: AbstractContextManager[object]) -> float:
    async def commit(times: int) -> None:
        for _ in range(times):
            await _time(sessions, _add_order_and_job)

    with around:
        await asyncio.gather(*(commit(2) for _ in range(COMMITTERS)))  # connects
        started = time.perf_counter()
        await asyncio.gather(*(commit(COMMITS_EACH) for _ in range(COMMITTERS)))
        return COMMITTERS * COMMITS_EACH / (time.perf_counter() - started)


async def _time(sessions: Sessions, fill: Fill) -> float:
    started = time.perf_counter()
    async with sessions.begin() as session:
        fill(session)
    return time.perf_counter() - started


async def _time_unnest(sessions: Sessions, jobs: int) -> float:
    """Write the rows of ``enqueue_many`` without soniq-sa: checked by nobody, encoded by `json`."""
    statement = text(
        "INSERT INTO soniq_jobs (id, args, task, queue, state)"
        " SELECT id, args::jsonb, 'noop', 'default', 'queued'"
        " FROM unnest(CAST(:ids AS uuid[]), CAST(:args AS text[])) AS job(id, args)"
    )
    started = time.perf_counter()
    async with sessions.begin() as session:
        ids = [uuid7() for _ in range(jobs)]
        args = [json.dumps(payload(number)) for number in range(jobs)]
        await session.execute(statement, {"ids": ids, "args": args})
    return time.perf_counter() - started


def _add_order(session: AsyncSoniqSession) -> None:
    session.add(Order(customer="someone", total=10))


def _add_order_and_job(session: AsyncSoniqSession) -> None:
    _add_order(session)
    session.enqueue(noop, **payload(1))


def _add_order_and_row(session: AsyncSoniqSession) -> None:
    _add_order(session)
    session.add(_plain_row(1))


def _plain_row(number: int) -> PlainRow:
    return PlainRow(task="noop", args=payload(number))


def _title(plan: Plan) -> str:
    return (
        f"enqueue on asyncpg: one job in a transaction, {plan.jobs // 2:,} jobs in one, "
        f"{COMMITTERS} concurrent committers of an order and a job"
    )


_PARTS = {"one job": _one_job, "many jobs": _many_jobs, "committers": _committers}
_MEASURES = (
    Measure("transaction", "transaction", "us"),
    Measure("added", "added", "us"),
    Measure("each", "each", "us/job", 1),
    Measure("rate", "commits", "commits/s"),
)
_RATIOS = (
    Ratio("added", _JOB, _ROW),
    Ratio("each", _ENQUEUE, _ADD_ALL),
    Ratio("each", _MANY, _UNNEST),
    Ratio("rate", _WAKING, _SILENT),
)
_NOTES = (
    "plain row: a mapped class with the columns of a job, its primary key and one more index.",
    f"{_UNNEST}: one INSERT through session.execute, arguments encoded by json.dumps and not checked.",
)
