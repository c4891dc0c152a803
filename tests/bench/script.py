"""One shape for the processes of all systems: ``python -m tests.bench.… COMMAND``.

    prepare NUMBER    make the tables, and enqueue so many jobs that do nothing
    work idle|busy    work until killed, with the settings for short waits, or for high rates
    produce           commit one job every 20 ms, and note when each commit returned
    burst NUMBER      commit so many jobs ten times a second, all of each tenth in one call
    added NUMBER      time so many ORM transactions with and without a job; print JSON
    tables            make the tables of the application that `added` writes to

The database is in the environment. Only the standard library is imported here: each rival runs in an
environment of its own, which has nothing of soniq-sa.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from typing import Any

from tests.bench.cells import Cells, Tally
from tests.bench.cpu import cpu_of

URL = "SONIQ_SA_DATABASE_URL"
EVERY = 0.02
TENTH = 0.1

Enqueue = Callable[[int], Awaitable[object]]
EnqueueMany = Callable[[Sequence[int]], Awaitable[object]]
Times = tuple[float, float, float]
"""Of one transaction, in microseconds: in all, CPU of this process, CPU of its backend."""


class Script(ABC):
    """What a system can be asked to do."""

    driver = "asyncpg"
    """What SQLAlchemy uses where a job is part of an ORM transaction."""

    def __init__(self) -> None:
        self.url = os.environ[URL]
        self.cells = Cells.from_environment()
        self.tally = Tally(self.cells)

    @abstractmethod
    async def prepare(self, jobs: int) -> None:
        """Make the tables, and enqueue ``jobs`` jobs that do nothing."""

    @abstractmethod
    async def work(self, *, busy: bool) -> None:
        """Work until killed."""

    @abstractmethod
    def enqueueing(self) -> AbstractAsyncContextManager[Enqueue]:
        """Yield what enqueues and commits one job, which notes its start."""

    @abstractmethod
    def enqueueing_many(self) -> AbstractAsyncContextManager[EnqueueMany]:
        """Yield what enqueues and commits many jobs, which note their starts."""

    @abstractmethod
    async def add_to(self, session: Any, number: int) -> None:
        """Add a job to the transaction of an AsyncSession."""

    def session_class(self) -> Any:
        """Return the class of the sessions that `add_to` gets."""
        from sqlalchemy.ext.asyncio import AsyncSession

        return AsyncSession

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Make what `add_to` needs."""
        yield


def run(script: Script) -> None:
    """Do what the command line says."""
    command, *arguments = sys.argv[1:]
    match command:
        case "prepare":
            asyncio.run(script.prepare(int(arguments[0])))
        case "work":
            run_fast(script.work(busy=arguments == ["busy"]))
        case "produce":
            asyncio.run(_produce(script))
        case "burst":
            asyncio.run(_burst(script, int(arguments[0])))
        case "added":
            sys.stdout.write(json.dumps(asyncio.run(_added(script, int(arguments[0])))))
        case "tables":
            asyncio.run(_make_tables(script))
        case _:
            raise SystemExit(f"unknown command {command}")


def run_fast(work: Any) -> None:
    """Run on uvloop, if that is installed."""
    if find_spec("uvloop") is None:
        asyncio.run(work)
    else:
        import uvloop

        uvloop.run(work)


async def _produce(script: Script) -> None:
    """Wait for the first job to be picked up, then go on at the fixed pace."""
    cells = script.cells
    jobs = len(cells) // 2
    async with script.enqueueing() as enqueue:
        for job in range(jobs):
            next_at = time.monotonic() + EVERY
            await enqueue(job)
            cells[jobs + job] = time.monotonic_ns()
            if job == 0:
                await _picked_up(cells, job)
            await asyncio.sleep(next_at - time.monotonic())


async def _burst(script: Script, size: int) -> None:
    """Commit ``size`` jobs ten times a second; the first tenth only warms everything up."""
    cells = script.cells
    jobs = len(cells) // 2
    async with script.enqueueing_many() as enqueue:
        next_at = time.monotonic()
        for first in range(0, jobs, size):
            part = range(first, min(first + size, jobs))
            await enqueue(part)
            committed_at = time.monotonic_ns()
            for job in part:
                cells[jobs + job] = committed_at
            if first == 0:
                await _picked_up(cells, part[-1])
                next_at = time.monotonic()
            next_at += TENTH
            await asyncio.sleep(next_at - time.monotonic())


async def _picked_up(cells: Cells, job: int) -> None:
    """Wait until the handler of ``job`` has started, in another process."""
    while cells[job] == 0:  # noqa: ASYNC110 - shared memory has no event
        await asyncio.sleep(0.01)


async def _added(script: Script, transactions: int) -> dict[str, list[Times]]:
    """Time transactions in turn: an order alone, with a job, with a plain row.

    The first tenth only warms everything up.
    """
    async with _engine(script) as engine, script.connected():
        times = await _time_in_turn(script, engine, transactions)
    return {kind: values[transactions // 10 :] for kind, values in times.items()}


async def _time_in_turn(script: Script, engine: Any, transactions: int) -> dict[str, list[Times]]:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import async_sessionmaker

    from tests.bench.shop import order, plain_row

    sessions = async_sessionmaker(engine, class_=script.session_class())
    async with sessions() as session:
        backend = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()

    async def transaction(kind: str, number: int) -> Times:
        server, client = _cpu(backend), time.process_time()
        started = time.perf_counter()
        async with sessions.begin() as session:
            session.add(order())
            if kind == "row":
                session.add(plain_row(number))
            elif kind == "job":
                await script.add_to(session, number)
        wall = time.perf_counter() - started
        client = time.process_time() - client
        return wall * 1e6, client * 1e6, (_cpu(backend) - server) * 1e6

    times: dict[str, list[Times]] = {"order": [], "job": [], "row": []}
    for number in range(transactions):
        for kind, values in times.items():
            values.append(await transaction(kind, number))
    return times


def _cpu(pid: int) -> float:
    found = cpu_of(pid)
    return math.nan if found is None else found


async def _make_tables(script: Script) -> None:
    from tests.bench.shop import Order, PlainRow

    async with _engine(script) as engine, engine.begin() as connection:
        for model in (Order, PlainRow):
            await connection.run_sync(model.__table__.create, checkfirst=True)


@asynccontextmanager
async def _engine(script: Script) -> AsyncIterator[Any]:
    from sqlalchemy import make_url
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(make_url(script.url).set(drivername=f"postgresql+{script.driver}"))
    yield engine
    await engine.dispose()
