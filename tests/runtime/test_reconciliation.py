"""A worker gives back what the table says is its own and it does not hold (P4)."""

import asyncio
from typing import Any

import pytest

from soniq_sa import Worker
from soniq_sa.events import JobsReleased, WorkerStarted
from soniq_sa.link import Link
from soniq_sa.models.channel import channel_of
from tests.runtime.bench import PATIENCE, Bench


async def give_to_worker(bench: Bench, job_id: Any) -> None:
    """Do what a claim does whose answer is lost."""
    (started,) = bench.events_of(WorkerStarted)
    await bench.rows(
        "UPDATE soniq_jobs SET state = 'processing', claims = claims + 1, worker_id = :worker, "
        "claimed_at = now() WHERE id = :id",
        worker=started.worker_id,
        id=job_id,
    )


@pytest.mark.parametrize("busy", [True, False])
async def test_a_claim_that_the_worker_does_not_know_of_is_released_and_run(
    bench: Bench, *, busy: bool
) -> None:
    runs: list[int] = []
    leave = asyncio.Event()

    @bench.task()
    async def hold() -> None:
        await leave.wait()

    @bench.task()
    async def lost() -> None:
        runs.append(1)

    lost_one = await bench.soniq.enqueue(lost.options(delay=3600))
    async with bench.worker(lease=2, heartbeat=0.2, poll_interval=0.5):
        if busy:
            held = await bench.soniq.enqueue(hold)
            await bench.until_state(held, "processing")
        await give_to_worker(bench, lost_one.id)
        row = await bench.until_state(lost_one, "done")
        leave.set()
    assert runs == [1]
    assert (row.claims, row.attempts, row.crashes) == (2, 1, 0)
    assert [event.count for event in bench.events_of(JobsReleased)] == [1]


async def test_what_the_worker_runs_is_not_released(bench: Bench) -> None:
    leave = asyncio.Event()

    @bench.task()
    async def hold() -> None:
        await leave.wait()

    async with bench.worker(lease=1, heartbeat=0.05, poll_interval=0.05):
        handles = [await bench.soniq.enqueue(hold) for _ in range(5)]
        for handle in handles:
            await bench.until_state(handle, "processing")
        (worker,) = await bench.rows("SELECT beat_at FROM soniq_workers")

        async def ten_beats_later() -> bool:
            ((later,),) = await bench.rows(
                "SELECT beat_at > CAST(:since AS timestamptz) + interval '0.5 s' FROM soniq_workers",
                since=worker.beat_at,
            )
            return bool(later)

        await bench.until(ten_beats_later, "ten more beats")
        leave.set()
        for handle in handles:
            row = await bench.until_state(handle, "done")
            assert row.claims == 1
    assert bench.events_of(JobsReleased) == []


async def test_a_worker_stopped_between_claim_and_start_gives_everything_back(
    bench: Bench,
) -> None:
    started: list[int] = []

    @bench.task()
    async def hold(number: int) -> None:
        started.append(number)
        await asyncio.sleep(60)

    async with bench.sessions.begin() as session:
        handles = session.enqueue_many(hold, [{"number": number} for number in range(20)])
    worker = Worker(bench.soniq, concurrency=5, drain_timeout=0)
    running = asyncio.create_task(worker.run())
    await bench.until(lambda: len(started) == 5, "five handlers")
    worker.stop()
    await asyncio.wait_for(running, PATIENCE)
    for handle in handles:
        row = await bench.row(handle)
        assert (row.state, row.attempts, row.crashes, row.worker_id) == ("queued", 0, 0, None)


async def test_a_job_that_ends_between_the_look_and_the_comparison_is_not_missed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = asyncio.Event()
    looks: list[int] = []

    @bench.task()
    async def hold() -> None:
        await leave.wait()

    execute = Link.execute

    async def execute_late(link: Link, statement: Any, *args: Any) -> Any:
        rows = await execute(link, statement, *args)
        if rows and "cancelled" in rows[0]._fields:
            looks.append(len(rows))
            leave.set()
            await bench.until_state(handle, "done")
        return rows

    handle = await bench.soniq.enqueue(hold)
    async with bench.worker(lease=2, heartbeat=0.2, poll_interval=0.1):
        await bench.until_state(handle, "processing")
        monkeypatch.setattr(Link, "execute", execute_late)
        await bench.until(lambda: bool(looks), "the look")
        await bench.until_state(handle, "done")
    assert bench.events_of(JobsReleased) == []


async def test_a_claim_that_the_server_forgot_and_gives_again_is_the_same_run(bench: Bench) -> None:
    """Claims do not wait for the disk; after a crash of the server the job is in its queue as before."""
    runs: list[int] = []
    leave = asyncio.Event()

    @bench.task()
    async def hold() -> None:
        runs.append(1)
        await leave.wait()

    handle = await bench.soniq.enqueue(hold)
    async with bench.worker():
        await bench.until(lambda: bool(runs), "the handler")
        await bench.rows(
            "UPDATE soniq_jobs SET state = 'queued', claims = 0, worker_id = NULL, claimed_at = NULL"
        )
        channel = channel_of(bench.soniq.models.jobs)
        await bench.rows("SELECT pg_notify(:channel, '')", channel=channel)
        await bench.until_state(handle, "processing")
        leave.set()
        row = await bench.until_state(handle, "done")
    assert (len(runs), row.claims, row.attempts) == (1, 1, 1)
