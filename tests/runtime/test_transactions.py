"""``ctx.transaction()``: committed at the end of its block, and only by the worker that has the job."""

import asyncio
import threading
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import ConfigurationError, JobContext, inject
from tests.runtime.bench import Bench
from tests.runtime.models import Effect
from tests.words.contexts import made_by_hand


async def test_each_block_is_committed_whatever_becomes_of_the_job(bench: Bench) -> None:
    committed: list[list[str | None]] = []

    @bench.task(retries=0)
    async def work(ctx: JobContext = inject()) -> None:
        for number in range(2):
            async with ctx.transaction() as session:
                assert isinstance(session, AsyncSession)
                session.add(Effect(note=f"page {number}"))
            committed.append(await bench.effects())
        raise ValueError("later")

    handle = await bench.soniq.enqueue(work)
    async with bench.worker():
        await bench.until_state(handle, "dead")
    assert committed == [["page 0"], ["page 0", "page 1"]]
    assert await bench.effects() == ["page 0", "page 1"]


async def test_a_sync_handler_uses_with(bench: Bench) -> None:
    @bench.task(retries=0)
    def work(ctx: JobContext = inject()) -> None:
        with ctx.transaction() as session:
            assert isinstance(session, Session)
            session.add(Effect(note="sync"))
        with ctx.transaction() as session:
            session.add(Effect(note="not this"))
            raise ValueError("rolled back")

    handle = await bench.soniq.enqueue(work)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert "rolled back" in row.error
    assert await bench.effects() == ["sync"]


async def test_an_error_in_the_block_rolls_it_back_and_reaches_the_handler(bench: Bench) -> None:
    @bench.task(retries=0)
    async def work(ctx: JobContext = inject()) -> str:
        try:
            async with ctx.transaction() as session:
                session.add(Effect(note="not this"))
                await session.flush()
                raise KeyError("key")
        except KeyError:
            return "caught"

    handle = await bench.soniq.enqueue(work)
    async with bench.worker():
        assert await handle.result(10) == "caught"
    assert await bench.effects() == []


async def test_jobs_are_enqueued_in_the_block(bench: Bench) -> None:
    @bench.task()
    async def child() -> None:
        pass

    @bench.task()
    async def work(ctx: JobContext = inject()) -> None:
        async with ctx.transaction() as session:
            session.enqueue(child)

    handle = await bench.soniq.enqueue(work)
    async with bench.worker():
        await handle.result(10)
        counted = "SELECT count(*) FROM soniq_jobs WHERE task = 'child' AND state = 'done'"

        async def ran() -> bool:
            return (await bench.rows(counted))[0][0] == 1

        await bench.until(ran, "the child")


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_worker_that_has_lost_the_job_commits_nothing(bench: Bench, kind: str) -> None:
    reached, release = threading.Event(), threading.Event()
    raised: list[str] = []

    @bench.task(name="sync", retries=0)
    def work(ctx: JobContext = inject()) -> None:
        try:
            with ctx.transaction() as session:
                session.add(Effect(note="zombie"))
                session.flush()
                reached.set()
                release.wait(20)
        except Exception as error:
            raised.append(type(error).__name__)
            raise

    @bench.task(name="async", retries=0)
    async def work_async(ctx: JobContext = inject()) -> None:
        try:
            async with ctx.transaction() as session:
                session.add(Effect(note="zombie"))
                await session.flush()
                reached.set()
                await asyncio.to_thread(release.wait, 20)
        except Exception as error:
            raised.append(type(error).__name__)
            raise

    handle = await bench.soniq.enqueue(work if kind == "sync" else work_async)
    async with bench.worker():
        await asyncio.to_thread(reached.wait, 20)
        await bench.take_away()
        release.set()
        await bench.until(lambda: bool(raised), "the refusal")
    assert raised == ["LeaseLostError"]
    assert await bench.effects() == []
    row = await bench.row(handle)
    assert (row.state, row.attempts, row.error) == ("processing", 0, None)


async def test_the_job_is_locked_between_the_look_and_the_commit(bench: Bench) -> None:
    """A rescue passes the row by until the commit has come through."""
    seen: list[int] = []

    class Watching(AsyncSession):
        async def commit(self) -> None:
            found = await bench.rows("SELECT 1 FROM soniq_jobs FOR UPDATE SKIP LOCKED")
            seen.append(len(found))
            await super().commit()

    bench.sessions.class_ = Watching
    soniq = type(bench.soniq)(bench.soniq.tasks.metadata, sessionmaker=bench.sessions)

    @soniq.job(name="work")
    async def work(ctx: JobContext = inject()) -> None:
        async with ctx.transaction() as session:
            session.add(Effect(note="mine"))

    bench.soniq = soniq
    soniq.events.subscribe(bench.seen.append)
    handle = await soniq.enqueue(work)
    seen.clear()
    async with bench.worker():
        await handle.result(10)
    assert seen == [0]
    assert await bench.effects() == ["mine"]


async def test_a_commit_in_the_block_is_refused(bench: Bench) -> None:
    @bench.task(retries=0)
    async def work(ctx: JobContext = inject()) -> None:
        async with ctx.transaction() as session:
            session.add(Effect(note="not this"))
            await session.commit()

    handle = await bench.soniq.enqueue(work)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert "The session of ctx.transaction() is committed at the end of its block" in row.error
    assert await bench.effects() == []


async def test_a_transaction_beside_the_handlers_own_session_is_its_own(bench: Bench) -> None:
    @bench.task(retries=0)
    async def work(session: AsyncSession = inject(), ctx: JobContext = inject()) -> None:
        session.add(Effect(note="with the end of the job"))
        await session.flush()
        async with ctx.transaction() as other:
            other.add(Effect(note="by itself"))
        raise ValueError("no end")

    handle = await bench.soniq.enqueue(work)
    async with bench.worker():
        await bench.until_state(handle, "dead")
    assert await bench.effects() == ["by itself"]


async def test_in_an_async_handler_a_plain_with_says_what_to_write(bench: Bench) -> None:
    @bench.task(retries=0)
    async def work(ctx: JobContext = inject()) -> None:
        with ctx.transaction():
            pass

    handle = await bench.soniq.enqueue(work)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert "async with ctx.transaction() as session" in row.error


async def test_the_timeout_of_the_attempt_rolls_the_block_back(bench: Bench) -> None:
    @bench.task(retries=0, timeout=0.3)
    async def work(ctx: JobContext = inject()) -> None:
        async with ctx.transaction() as session:
            session.add(Effect(note="not this"))
            await session.execute(text("SELECT 1"))
            await asyncio.sleep(60)

    handle = await bench.soniq.enqueue(work)
    async with bench.worker():
        row: Any = await bench.until_state(handle, "dead")
    assert row.reason == "timed out"
    assert await bench.effects() == []


def test_outside_a_worker_it_says_what_is_missing() -> None:
    with pytest.raises(ConfigurationError, match="needs a worker"):
        made_by_hand().transaction()
