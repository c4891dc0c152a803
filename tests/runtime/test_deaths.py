"""`JobDied`: told of every job that is dead, whoever finds out, and of no other."""

import asyncio
from typing import Any

import pytest

from soniq_sa import Discard
from soniq_sa.events import JobDied, JobFailed
from tests.runtime.bench import Bench


def told(bench: Bench) -> list[tuple[Any, str, str]]:
    """Return what was told of dead jobs."""
    return [(one.job_id, one.task, one.reason) for one in bench.events_of(JobDied)]


async def test_the_last_attempt_is_told_and_the_ones_before_are_not(bench: Bench) -> None:
    @bench.task(retries=1, retry_delay=0)
    async def failing() -> None:
        raise ValueError("always")

    handle = await bench.soniq.enqueue(failing)
    async with bench.worker():
        await bench.until(lambda: bool(told(bench)), "the death")
    assert told(bench) == [(handle.id, "failing", "retries exhausted")]
    assert [event.is_final for event in bench.events_of(JobFailed)] == [False, True]
    assert (await bench.row(handle)).state == "dead"


@pytest.mark.parametrize("how", ["discarded", "expired", "crashed worker"])
async def test_a_death_without_a_failure_of_the_handler_is_told_too(bench: Bench, how: str) -> None:
    @bench.task()
    async def quick() -> None:
        raise Discard("not wanted")

    options: dict[str, Any] = {"expired": {"expires_in": 0.001}}.get(how, {"delay": 600})
    handle = await bench.soniq.enqueue(quick.options(**options))
    if how == "discarded":
        await bench.soniq.run_now(handle)
    elif how == "crashed worker":
        await bench.rows(
            "UPDATE soniq_jobs SET state = 'processing', claims = 3, crashes = 2, "
            "worker_id = gen_random_uuid(), claimed_at = now()"
        )
    async with bench.worker(lease=1, heartbeat=0.2):
        await bench.until(lambda: bool(told(bench)), "the death")
    assert told(bench) == [(handle.id, "quick", how)]


async def test_a_job_that_was_asked_to_end_does_not_die_of_its_failure(bench: Bench) -> None:
    release = asyncio.Event()

    @bench.task(retries=0)
    async def failing() -> None:
        await release.wait()
        raise ValueError("no")

    async with bench.worker():
        handle = await bench.soniq.enqueue(failing)
        await bench.until_state(handle, "processing")
        await bench.rows("UPDATE soniq_jobs SET cancel_requested_at = now()")
        release.set()
        await bench.until_state(handle, "cancelled")
        await bench.until(lambda: bool(bench.events_of(JobFailed)), "the failure")
    assert told(bench) == []


async def test_of_a_job_that_is_cancelled_or_done_no_death_is_told(bench: Bench) -> None:
    @bench.task()
    async def quick() -> None:
        pass

    done = await bench.soniq.enqueue(quick)
    await bench.soniq.cancel(await bench.soniq.enqueue(quick.options(delay=60)))
    async with bench.worker():
        await done.result(10)
    assert told(bench) == []
