"""An attempt that takes longer than its time limit is ended."""

import asyncio
import threading
import time
from contextlib import suppress

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import JobContext, inject
from tests.runtime.bench import Bench
from tests.runtime.models import Effect


async def test_an_async_handler_is_cancelled_at_its_time_limit(bench: Bench) -> None:
    ends: list[str] = []

    @bench.task(timeout=0.2, retries=1, retry_delay=0)
    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ends.append("cancelled")

    handle = await bench.soniq.enqueue(slow)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert (row.reason, row.attempts) == ("timed out", 2)
    assert "0.2 s" in row.error
    assert ends == ["cancelled"] * 2
    assert [one.outcome for one in await bench.attempts(handle)] == ["timed out"] * 2


async def test_the_limit_of_the_worker_holds_for_tasks_without_their_own(bench: Bench) -> None:
    @bench.task(retries=0)
    async def slow() -> None:
        await asyncio.sleep(60)

    handle = await bench.soniq.enqueue(slow)
    async with bench.worker(job_timeout=0.2):
        row = await bench.until_state(handle, "dead")
    assert row.reason == "timed out"


async def test_a_time_limit_of_zero_is_none(bench: Bench) -> None:
    @bench.task(retries=0, timeout=0)
    async def slow() -> None:
        await asyncio.sleep(0.5)

    handle = await bench.soniq.enqueue(slow)
    async with bench.worker(job_timeout=0.1):
        await bench.until_state(handle, "done")


async def test_a_timed_out_handler_with_a_session_leaves_no_effects(bench: Bench) -> None:
    @bench.task(timeout=0.2, retries=0)
    async def slow(session: AsyncSession = inject()) -> None:
        session.add(Effect(note="half"))
        await session.flush()
        await asyncio.sleep(60)

    handle = await bench.soniq.enqueue(slow)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert row.reason == "timed out"
    assert await bench.effects() == []


async def test_a_sync_handler_over_its_limit_gives_its_slot_back(bench: Bench) -> None:
    leave = threading.Event()

    @bench.task(timeout=0.2, retries=0)
    def stuck() -> None:
        leave.wait(20)

    @bench.task()
    def fine() -> None:
        pass

    handles = [await bench.soniq.enqueue(stuck) for _ in range(3)]
    last = await bench.soniq.enqueue(fine)
    try:
        async with bench.worker(concurrency=1):
            await bench.until_state(last, "done")
            for handle in handles:
                assert (await bench.row(handle)).reason == "timed out"
    finally:
        leave.set()


async def test_late_writes_of_a_timed_out_sync_handler_are_fenced_off(bench: Bench) -> None:
    leave, left = threading.Event(), threading.Event()

    @bench.task(timeout=0.2, retries=1, retry_delay=0)
    def slow(session: Session = inject(), ctx: JobContext = inject()) -> None:
        late = ctx.attempt == 1
        if late:
            leave.wait(20)
        session.add(Effect(note="late" if late else "in time"))
        session.flush()
        if late:
            left.set()

    handle = await bench.soniq.enqueue(slow)
    async with bench.worker():
        await bench.until(lambda: timed_out_once(bench), "the first attempt to time out")
        leave.set()
        row = await bench.until_state(handle, "done")
        await bench.until(left.is_set, "the late handler to go on")
        assert row.attempts == 2

        async def nothing_open() -> bool:
            (open_ones,) = await bench.rows(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND state LIKE 'idle in transaction%'"
            )
            return bool(open_ones[0] == 0)

        await bench.until(nothing_open, "the late handler's transaction to end")
    assert await bench.effects() == ["in time"]
    assert (await bench.row(handle)).state == "done"


async def timed_out_once(bench: Bench) -> bool:
    """Tell whether an attempt has timed out."""
    return [row.outcome for row in await bench.rows("SELECT outcome FROM soniq_attempts")] == [
        "timed out"
    ]


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_timeout_error_of_the_handler_itself_is_an_ordinary_failure(
    bench: Bench, kind: str
) -> None:
    if kind == "async":

        @bench.task(name="own", retries=0, timeout=60)
        async def own() -> None:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)
    else:

        @bench.task(name="own", retries=0, timeout=60)
        def own() -> None:
            raise TimeoutError("the mail server did not answer")

    handle = await bench.soniq.enqueue(own)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert row.reason == "retries exhausted"
    assert "TimeoutError" in row.error


async def test_a_handler_that_swallows_its_cancellation_and_returns_has_timed_out(
    bench: Bench,
) -> None:
    @bench.task(timeout=0.2, retries=0)
    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    handle = await bench.soniq.enqueue(stubborn)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert row.reason == "timed out"


async def test_the_time_limit_does_not_count_the_time_before_the_start(bench: Bench) -> None:
    @bench.task(timeout=0.5, retries=0)
    async def short() -> None:
        await asyncio.sleep(0.3)

    handles = [await bench.soniq.enqueue(short) for _ in range(3)]
    began = time.monotonic()
    async with bench.worker(concurrency=1):
        for handle in handles:
            await bench.until_state(handle, "done")
    assert time.monotonic() - began > 0.9
