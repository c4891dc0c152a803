"""Jobs that took part in crashes begin one after the other; see `soniq_sa.runtime.suspects`."""

import asyncio
from typing import Any

import pytest

from soniq_sa import JobContext, JobHandle, Worker, inject
from tests.runtime.bench import Bench


class Ward:
    """A task whose runs wait until they are let go, and jobs of it that took part in crashes."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.begun: list[Any] = []
        self.leave = asyncio.Event()

        @bench.task()
        async def linger(ctx: JobContext = inject()) -> None:
            self.begun.append(ctx.job_id)
            await self.leave.wait()

        self.task = linger

    async def admit(self, crashes: int, count: int = 1) -> list[JobHandle[Any]]:
        """Enqueue jobs that took part in so many crashes, and tell nobody."""
        handles = await self.bench.soniq.enqueue_many(self.task.options(delay=60), [{}] * count)
        for handle in handles:
            await self.bench.rows(
                "UPDATE soniq_jobs SET state = 'queued', run_at = now(), crashes = :crashes "
                "WHERE id = :id",
                id=handle.id,
                crashes=crashes,
            )
        return handles

    async def until_begun(self, handle: JobHandle[Any]) -> None:
        """Wait until a job runs."""
        await self.bench.until(lambda: handle.id in self.begun, "the job to begin")

    async def run_others(self, count: int) -> None:
        """Have jobs run that took part in no crash, one after the other: time passes."""
        for _ in range(count):
            (handle,) = await self.bench.soniq.enqueue_many(self.quick, [{}])
            await self.bench.until_state(handle, "done")

    @property
    def quick(self) -> Any:
        """Return a task that is over at once."""
        if "quick" not in self.bench.soniq.tasks.names:

            @self.bench.task()
            async def quick() -> None:
                pass

            self._quick = quick
        return self._quick


async def test_suspects_that_run_long_let_the_next_ones_begin(bench: Bench) -> None:
    ward = Ward(bench)
    handles = await ward.admit(1, 5)
    async with bench.worker():
        for handle in handles:
            await ward.until_begun(handle)
        assert ward.begun == [handle.id for handle in handles]
        ward.leave.set()


async def test_a_job_of_two_crashes_begins_when_no_other_suspect_runs(bench: Bench) -> None:
    ward = Ward(bench)
    assert ward.quick
    (first,) = await ward.admit(1)
    (twice,) = await ward.admit(2)
    (last,) = await ward.admit(1)
    async with bench.worker():
        await ward.until_begun(first)
        await ward.until_begun(last)
        await ward.run_others(20)
        assert twice.id not in ward.begun
        ward.leave.set()
        await bench.until_state(twice, "done")


async def test_a_job_of_two_crashes_keeps_other_suspects_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soniq_sa.runtime.suspects._LONG_SETTLING", 600.0)
    ward = Ward(bench)
    assert ward.quick
    (twice,) = await ward.admit(2)
    (once,) = await ward.admit(1)
    async with bench.worker():
        await ward.until_begun(twice)
        await ward.run_others(20)
        assert ward.begun == [twice.id]
        ward.leave.set()
        await bench.until_state(once, "done")


async def test_a_job_of_two_crashes_that_runs_for_long_lets_the_next_one_begin(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soniq_sa.runtime.suspects._LONG_SETTLING", 0.2)
    ward = Ward(bench)
    (twice,) = await ward.admit(2)
    (once,) = await ward.admit(1)
    async with bench.worker():
        await ward.until_begun(twice)
        await ward.until_begun(once)
        ward.leave.set()


async def test_a_suspect_that_fails_is_found_when_it_is_due_again(bench: Bench) -> None:
    @bench.task(retries=1, retry_delay=0.01)
    async def fail_once(ctx: JobContext = inject()) -> None:
        if ctx.attempt == 1:
            raise ValueError("the first time")

    handle = await bench.soniq.enqueue(fail_once.options(delay=60))
    await bench.rows("UPDATE soniq_jobs SET state = 'queued', run_at = now(), crashes = 1")
    async with bench.worker(heartbeat=5):
        assert (await bench.until_state(handle, "done")).claims == 2


async def test_a_suspect_that_is_released_is_found_by_another_worker(bench: Bench) -> None:
    ward = Ward(bench)
    leaving = Worker(bench.soniq, drain_timeout=0)
    running = asyncio.create_task(leaving.run())
    (handle,) = await ward.admit(1)
    await ward.until_begun(handle)
    async with bench.worker(heartbeat=5):
        leaving.stop()
        await running
        await bench.until(lambda: ward.begun == [handle.id] * 2, "the second start")
        ward.leave.set()
        await bench.until_state(handle, "done")
