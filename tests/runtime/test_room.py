"""PostgreSQL has no connection, or no room, for a handler's session: its job waits, and loses nothing."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from soniq_sa import AsyncSoniqSession, Soniq, inject
from soniq_sa.engines import make_async_engine
from soniq_sa.events import JobFailed, JobSnoozed
from tests.runtime.bench import Bench
from tests.runtime.models import Base, Effect


@pytest.fixture
async def role(bench: Bench) -> AsyncIterator[str]:
    """Return a role that may have no connections yet; the sessions of handlers use it."""
    name = f"limited_{secrets.token_hex(6)}"
    await bench.rows(f"CREATE ROLE {name} LOGIN CONNECTION LIMIT 0")
    await bench.rows(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}")
    await bench.rows(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name}")
    limited = make_async_engine(make_url(bench.url).set(username=name))
    sessions = async_sessionmaker(limited, class_=AsyncSoniqSession)
    bench.soniq = Soniq(Base.metadata, engine=bench.engine, sessionmaker=sessions)
    bench.soniq.events.subscribe(bench.seen.append)
    yield name
    await limited.dispose()
    await bench.rows(f"DROP OWNED BY {name}")
    await bench.rows(f"DROP ROLE {name}")


async def test_a_job_waits_for_a_connection_and_consumes_no_attempt(
    bench: Bench, role: str
) -> None:
    ran: list[int] = []

    @bench.task(retries=0)
    async def note(session: AsyncSession = inject()) -> None:
        ran.append(1)
        session.add(Effect(note="once"))

    async with bench.sessions.begin() as session:
        handle = session.enqueue(note)
    async with bench.worker():
        await bench.until(lambda: len(bench.events_of(JobSnoozed)) == 2, "two pauses")
        assert ran == []
        await bench.rows(f"ALTER ROLE {role} CONNECTION LIMIT 5")
        row = await bench.until_state(handle, "done")
    pauses = [event.delay for event in bench.events_of(JobSnoozed)]
    assert pauses == sorted(pauses)
    assert pauses[0] >= 1
    assert (row.attempts, row.reason) == (1, None)
    assert await bench.effects() == ["once"]


async def test_a_statement_that_finds_no_room_consumes_no_attempt_for_some_time(
    bench: Bench,
) -> None:
    """What a handler does may be too much by itself, so that ends after ten times."""
    full = [True]

    @bench.task(retries=0)
    async def note(session: AsyncSession = inject()) -> None:
        session.add(Effect(note="once"))
        await session.flush()
        if full:
            await session.execute(
                text("DO $$ BEGIN RAISE 'no room' USING ERRCODE = '53100'; END $$")
            )

    handles = [await bench.soniq.enqueue(note) for _ in range(2)]
    hopeless, lucky = handles
    await bench.rows("UPDATE soniq_jobs SET claims = 10 WHERE id = :id", id=hopeless.id)
    async with bench.worker():
        row = await bench.until_state(hopeless, "dead")
        assert (row.attempts, row.reason) == (1, "retries exhausted")
        await bench.until(lambda: bool(bench.events_of(JobSnoozed)), "the pause of the other")
        full.clear()
        row = await bench.until_state(lucky, "done")
    assert (row.attempts, row.error) == (1, None)
    assert [event.job_id for event in bench.events_of(JobFailed)] == [hopeless.id]
    assert await bench.effects() == ["once"]
