"""A job that was not begun in time is not begun any more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from soniq_sa import JobContext, JobHandle, inject
from soniq_sa.events import JobFailed
from tests.runtime.bench import Bench


@pytest.fixture
def ran(bench: Bench) -> list[int]:
    """Register a task ``short``, and return where it notes its attempts."""
    attempts: list[int] = []

    @bench.task(retry_delay=0)
    async def short(ctx: JobContext = inject()) -> None:
        attempts.append(ctx.attempt)

    return attempts


def short(bench: Bench) -> Any:
    """Return the task of these tests."""
    return bench.soniq.tasks.get("short")


async def let_expire(bench: Bench) -> None:
    """Move the end of every job into the past, by the database's clock."""
    await bench.rows("UPDATE soniq_jobs SET expires_at = clock_timestamp() - interval '1 ms'")


async def test_an_expired_job_is_dead_without_an_attempt(bench: Bench, ran: list[int]) -> None:
    handle = await bench.soniq.enqueue(short(bench).options(expires_in=3600))
    await let_expire(bench)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
        await bench.until(lambda: bool(bench.events_of(JobFailed)), "the event")
    assert (row.reason, row.attempts) == ("expired", 0)
    assert "before it expired" in row.error
    assert row.finished_at is not None
    assert await bench.attempts(handle) == []
    assert ran == []


@pytest.mark.parametrize("way", ["session", "many", "own transaction"])
async def test_a_job_expires_however_it_was_enqueued(
    bench: Bench, ran: list[int], way: str
) -> None:
    task = short(bench).options(expires_in=0)
    async with bench.sessions.begin() as session:
        match way:
            case "session":
                handle = session.enqueue(task)
            case "many":
                (handle,) = session.enqueue_many(task, [{}])
            case _:
                handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert (row.reason, ran) == ("expired", [])


async def test_the_expiry_of_the_task_holds_for_jobs_without_their_own(bench: Bench) -> None:
    ran = []

    @bench.task(expires_in=0)
    async def late() -> None:
        ran.append("late")

    first = await bench.soniq.enqueue(late)
    second = await bench.soniq.enqueue(late.options(expires_in=3600))
    async with bench.worker():
        assert (await bench.until_state(first, "dead")).reason == "expired"
        await bench.until_state(second, "done")
    assert ran == ["late"]


async def test_a_job_that_is_begun_in_time_may_take_longer(bench: Bench) -> None:
    began = asyncio.Event()

    @bench.task()
    async def long() -> None:
        began.set()
        await bench.until(expired, "the job to expire")

    async def expired() -> bool:
        ((over,),) = await bench.rows("SELECT expires_at < clock_timestamp() FROM soniq_jobs")
        return bool(over)

    handle = await bench.soniq.enqueue(long.options(expires_in=1))
    async with bench.worker():
        row = await bench.until_state(handle, "done")
    assert began.is_set()
    assert row.finished_at > row.expires_at


async def test_a_retry_that_comes_too_late_is_not_begun(bench: Bench) -> None:
    ran = []

    @bench.task(retries=5, retry_delay=0.2)
    async def failing() -> None:
        ran.append(1)
        await let_expire(bench)
        raise ValueError("the first time")

    handle = await bench.soniq.enqueue(failing.options(expires_in=3600))
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert (row.reason, row.attempts, ran) == ("expired", 1, [1])
    (attempt,) = await bench.attempts(handle)
    assert "the first time" in attempt.error


async def test_a_delayed_job_expires_before_it_is_due(bench: Bench, ran: list[int]) -> None:
    handle = await bench.soniq.enqueue(short(bench).options(delay=0.3, expires_in=0.1))
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert (row.reason, ran) == ("expired", [])


async def test_expired_jobs_of_a_batch_take_no_slot_from_the_others(
    bench: Bench, ran: list[int]
) -> None:
    async with bench.sessions.begin() as session:
        late = session.enqueue_many(short(bench).options(expires_in=0, priority=1), [{}] * 50)
        fine = session.enqueue_many(short(bench), [{}] * 50)
    async with bench.worker(concurrency=1):
        for handle in fine:
            await bench.until_state(handle, "done")
    assert {(await bench.row(handle)).reason for handle in late} == {"expired"}
    assert ran == [1] * 50


async def test_a_run_that_finds_only_expired_jobs_ends(bench: Bench, ran: list[int]) -> None:
    async with bench.sessions.begin() as session:
        handles = session.enqueue_many(short(bench).options(expires_in=0), [{}] * 20)
    await bench.run_once()
    assert {(await bench.row(handle)).state for handle in handles} == {"dead"}
    assert ran == []


async def test_a_job_that_expires_while_it_waits_inside_the_worker_is_not_begun(
    bench: Bench,
) -> None:
    late, leave = [], asyncio.Event()

    @bench.task()
    async def quick() -> None:
        pass

    @bench.task()
    async def slow() -> None:
        await bench.until(leave.is_set, "the test to go on")

    @bench.task()
    async def short() -> None:
        late.append(1)

    async with bench.sessions.begin() as session:
        session.enqueue_many(quick.options(priority=1), [{}] * 2_000)
        session.enqueue_many(slow.options(priority=2), [{}] * 10)
        handles = session.enqueue_many(short.options(priority=3, expires_in=2), [{}] * 10)

    async def expired() -> bool:
        ((over,),) = await bench.rows(
            "SELECT bool_and(expires_at < clock_timestamp()) FROM soniq_jobs WHERE task = 'short'"
        )
        return bool(over)

    async with bench.worker(concurrency=10):
        await bench.until(expired, "the jobs to expire")
        leave.set()
        for handle in handles:
            await bench.until_state(handle, "dead")
    assert late == []


@pytest.mark.parametrize(
    ("column", "value", "state"),
    [
        ("expires_at", "infinity", "done"),
        ("expires_at", "-infinity", "dead"),
        ("run_at", "-infinity", "done"),
    ],
)
async def test_an_infinite_time_that_was_inserted_by_sql_stops_nobody(
    bench: Bench, ran: list[int], column: str, value: str, state: str
) -> None:
    ((job_id,),) = await bench.rows(
        f"INSERT INTO soniq_jobs (id, task, {column}) "  # noqa: S608 - names of this test
        f"VALUES (gen_random_uuid(), 'short', '{value}') RETURNING id"
    )
    other = await bench.soniq.enqueue(short(bench))
    async with bench.worker():
        await bench.until_state(other, "done")
        await bench.until_state(JobHandle(job_id, "short"), state)
    assert len(ran) == (2 if state == "done" else 1)
