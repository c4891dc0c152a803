"""With ``durability="volatile"`` a crash of the server takes the jobs, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from soniq_sa import AsyncSoniqSession, Soniq, inject
from soniq_sa.events import DatabaseLost, PartFailed
from soniq_sa.localserver import local_server
from soniq_sa.models import include_tables
from tests.process.private_server import PrivateServer
from tests.runtime.bench import Bench


class Base(DeclarativeBase):
    """The application's base; its jobs are not logged."""


class Order(Base):
    """A row that shall survive."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


include_tables(Base.metadata, durability="volatile")


@pytest.fixture
def private_server() -> Iterator[PrivateServer]:
    """Return a server of this test's own."""
    with local_server(sources=("binaries", "embedded"), durable=True) as server:
        made = PrivateServer(server)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
async def bench(private_server: PrivateServer) -> AsyncIterator[Bench]:
    """Return an application with volatile jobs on the private server."""
    made = Bench(private_server.url)
    made.soniq = Soniq(Base.metadata, engine=made.engine)
    made.soniq.events.subscribe(made.seen.append)
    async with made.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield made
    await made.engine.dispose()


async def test_after_a_crash_of_the_server_the_jobs_are_gone_and_the_worker_goes_on(
    bench: Bench, private_server: PrivateServer
) -> None:
    ran: list[str] = []
    inside, leave = asyncio.Event(), asyncio.Event()

    @bench.task()
    async def hold(name: str) -> None:
        inside.set()
        await leave.wait()
        ran.append(name)

    @bench.task()
    async def hold_in_session(session: AsyncSoniqSession = inject()) -> None:
        session.add(Order())
        await session.flush()
        await leave.wait()

    @bench.task()
    async def note(name: str) -> None:
        ran.append(name)

    await bench.add(Order())
    async with bench.worker(lease=3, poll_interval=1):
        await bench.soniq.enqueue(hold, "held")
        await bench.soniq.enqueue(hold_in_session)
        await bench.soniq.enqueue(note.options(delay=3600), "later")
        await inside.wait()
        await asyncio.to_thread(private_server.stop_immediately)
        await asyncio.to_thread(private_server.start)
        await bench.until(lambda: bool(bench.events_of(DatabaseLost)), "the worker to notice")
        leave.set()
        await until_answered(bench)
        handle = await bench.soniq.enqueue(note, "new")
        await bench.until_state(handle, "done", 30)
        again = await bench.soniq.enqueue(note, "newer")
        await bench.until_state(again, "done")
        assert len(await bench.rows("SELECT * FROM soniq_workers")) == 1
    assert ran == ["held", "new", "newer"]
    assert [row.id for row in await bench.rows("SELECT id FROM soniq_jobs ORDER BY id")] == [
        handle.id,
        again.id,
    ]
    async with async_sessionmaker(bench.engine)() as session:
        assert await session.scalar(select(func.count()).select_from(Order)) == 1
    assert not bench.events_of(PartFailed)


async def until_answered(bench: Bench) -> Any:
    """Wait until the server answers, on a new connection."""
    await bench.engine.dispose()
    return await bench.rows("SELECT 1")
