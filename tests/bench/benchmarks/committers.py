"""Thirty-two concurrent committers, each of which enqueues, with a worker that listens, or silent ones."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from unittest.mock import patch

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from soniq_sa import AsyncSoniqSession
from tests.bench.app import Base, noop
from tests.bench.plan import Plan
from tests.bench.results import Measure, Results, Target
from tests.bench.shop import order, payload

NAME = "committers"
COMMITTERS = 32
COMMITS_EACH = 10

Sessions = async_sessionmaker[AsyncSoniqSession]

_WAKING, _SILENT, _INSIDE = "wake-up after commit", "no wake-up", "NOTIFY in the transaction"
_MEASURES = (Measure("rate", "commits/s"), Measure("python", "us CPU/commit", 1))
_TARGETS = (
    Target("32 committers: rate without any wake-up", "rate", _WAKING, _SILENT, least=0.95),
    Target("32 committers: Python CPU without any wake-up", "python", _WAKING, _SILENT, most=1.05),
)
_NOTES = (
    (
        f"{COMMITTERS} sessions in one process commit an order and a job each; slices of "
        f"{COMMITTERS * COMMITS_EACH} commits of each kind in turn."
    ),
    f"{_INSIDE}: what the others do; without any wake-up of ours.",
    "One Python process is the limit here, not PostgreSQL, so the lock that NOTIFY takes shows little.",
)


def measure(plan: Plan) -> Results:
    """Commit in short slices of each kind, in turn."""
    slices = 5 if plan.quick else 7 * plan.runs
    title = f"{COMMITTERS} concurrent committers of an order and a job"
    results = Results(NAME, title, _MEASURES, _TARGETS, _NOTES)
    with plan.server.database() as url:
        asyncio.run(_measure(plan, results, url, slices))
    return results


async def _measure(plan: Plan, results: Results, url: str, slices: int) -> None:
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"), pool_size=COMMITTERS
    )
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    sessions = async_sessionmaker(engine, class_=AsyncSoniqSession)
    await _commit(sessions, 2, notify=False)  # connects
    for kind in plan.interleave(NAME, [_WAKING, _SILENT, _INSIDE], runs=slices):
        silence = patch("soniq_sa.session.unit_of_work.wake")
        with nullcontext() if kind == _WAKING else silence:
            wall, cpu = time.perf_counter(), time.process_time()
            await _commit(sessions, COMMITS_EACH, notify=kind == _INSIDE)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        commits = COMMITTERS * COMMITS_EACH
        results.add(kind, {"rate": commits / wall, "python": cpu / commits * 1e6})
    await engine.dispose()


async def _commit(sessions: Sessions, times: int, *, notify: bool) -> None:
    async def committer() -> None:
        for _ in range(times):
            async with sessions.begin() as session:
                session.add(order())
                session.enqueue(noop, **payload(1))
                if notify:
                    await session.execute(text("SELECT pg_notify('bench', '')"))

    await asyncio.gather(*(committer() for _ in range(COMMITTERS)))
