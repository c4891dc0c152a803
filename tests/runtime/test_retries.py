"""Attempts that fail are repeated after the retry delay, so often and no more."""

import time
from datetime import timedelta
from typing import Any

import pytest

from soniq_sa import JobContext, inject
from soniq_sa.events import JobFailed
from tests.runtime.bench import LONG_POLL, Bench


async def test_a_job_that_failed_once_is_done_in_the_second_attempt(bench: Bench) -> None:
    @bench.task(retry_delay=0)
    async def shaky(ctx: JobContext = inject()) -> None:
        if ctx.attempt == 1:
            raise ValueError("the first time")

    handle = await bench.soniq.enqueue(shaky)
    async with bench.worker():
        row = await bench.until_state(handle, "done")
    assert (row.attempts, row.claims, row.error, row.reason) == (2, 2, None, None)
    (attempt,) = await bench.attempts(handle)
    assert (attempt.claim, attempt.outcome) == (1, "failed")
    assert "ValueError: the first time" in attempt.error
    assert attempt.worker_id == row.worker_id
    assert attempt.finished_at >= attempt.started_at


@pytest.mark.parametrize("retries", [0, 2])
async def test_after_the_last_retry_the_job_is_dead_with_its_reason(
    bench: Bench, retries: int
) -> None:
    @bench.task(retries=retries, retry_delay=0)
    def broken(ctx: JobContext = inject()) -> None:
        raise ValueError(f"attempt {ctx.attempt}")

    handle = await bench.soniq.enqueue(broken)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert (row.reason, row.attempts) == ("retries exhausted", retries + 1)
    assert f"ValueError: attempt {retries + 1}" in row.error
    assert row.finished_at is not None
    attempts = await bench.attempts(handle)
    assert [attempt.claim for attempt in attempts] == list(range(1, retries + 2))
    assert {attempt.outcome for attempt in attempts} == {"failed"}
    failed = bench.events_of(JobFailed)
    assert [one.attempt for one in failed] == list(range(1, retries + 2))


@pytest.mark.parametrize("delay", [1, timedelta(seconds=1)])
async def test_a_retry_due_in_a_second_starts_then_whatever_the_poll_interval(
    bench: Bench, delay: Any
) -> None:
    starts: list[float] = []

    @bench.task(retry_delay=delay)
    async def shaky() -> None:
        starts.append(time.monotonic())
        if len(starts) == 1:
            raise ValueError("the first time")

    handle = await bench.soniq.enqueue(shaky)
    async with bench.worker(poll_interval=LONG_POLL):
        row = await bench.until_state(handle, "scheduled")
        assert (row.worker_id, row.finished_at) == (None, None)
        await bench.until_state(handle, "done")
    assert starts[1] - starts[0] >= 1.0


async def test_a_retry_that_another_worker_left_behind_starts_on_time(bench: Bench) -> None:
    starts: list[float] = []

    @bench.task(retry_delay=1.5)
    async def shaky() -> None:
        starts.append(time.monotonic())
        if len(starts) == 1:
            raise ValueError("the first time")

    handle = await bench.soniq.enqueue(shaky)
    async with bench.worker():
        await bench.until_state(handle, "scheduled")
    async with bench.worker():
        await bench.until_state(handle, "done")
    assert starts[1] - starts[0] >= 1.5


async def test_other_jobs_run_while_one_waits_for_its_retry(bench: Bench) -> None:
    @bench.task(retry_delay=60)
    async def broken() -> None:
        raise ValueError("no")

    @bench.task()
    async def fine() -> None:
        pass

    first, second = await bench.soniq.enqueue(broken), await bench.soniq.enqueue(fine)
    async with bench.worker(concurrency=1):
        await bench.until_state(second, "done")
        row = await bench.until_state(first, "scheduled")
    assert row.attempts == 1
