"""A worker that was taken for dead drops its jobs and goes on under a new id."""

import asyncio
import threading
import time
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import inject
from soniq_sa.events import JobsRescued, LeaseLost, WorkerStarted
from tests.runtime.bench import Bench
from tests.runtime.models import Effect

QUICK = {"lease": 2, "heartbeat": 0.1, "rescue_interval": 0.1}


async def test_a_lost_lease_cancels_the_handlers_and_rolls_their_effects_back(
    bench: Bench,
) -> None:
    runs: list[str] = []

    @bench.task()
    async def slow(session: AsyncSession = inject()) -> None:
        session.add(Effect(note=f"run {len(runs)}"))
        await session.flush()
        runs.append("started")
        if len(runs) == 1:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                runs.append("cancelled")
                raise

    handle = await bench.soniq.enqueue(slow)
    async with bench.worker(**QUICK):
        await bench.until(lambda: runs == ["started"], "the handler")
        (before,) = await bench.rows("SELECT id FROM soniq_workers")
        await bench.rows("DELETE FROM soniq_workers")
        row = await bench.until_state(handle, "done")
        (after,) = await bench.rows("SELECT id FROM soniq_workers")
    assert runs == ["started", "cancelled", "started"]
    assert await bench.effects() == ["run 2"]
    assert after.id != before.id
    assert (row.crashes, row.attempts, row.claims) == (1, 1, 2)
    assert row.worker_id == after.id
    assert [event.running for event in bench.events_of(LeaseLost)] == [1]
    assert [(one.queued, one.dead) for one in bench.events_of(JobsRescued)] == [(1, 0)]


async def test_an_effect_is_not_committed_when_the_lease_was_lost_unnoticed(
    bench: Bench,
) -> None:
    """The fence stops the commit, though the worker does not know yet."""
    leave = threading.Event()
    runs: list[int] = []

    @bench.task()
    def slow(session: Session = inject()) -> None:
        runs.append(1)
        session.add(Effect(note=f"run {len(runs)}"))
        session.flush()
        if len(runs) == 1:
            leave.wait(20)

    handle = await bench.soniq.enqueue(slow)
    async with bench.worker(lease=3600, heartbeat=1200) as worker:
        await bench.until(lambda: runs == [1], "the handler")
        await bench.rows("UPDATE soniq_workers SET expires_at = now() - interval '1 s'")
        await bench.rows(
            "UPDATE soniq_jobs SET state = 'queued', worker_id = NULL, crashes = 1 WHERE id = :id",
            id=handle.id,
        )
        leave.set()
        await bench.until(lambda: worker_is_idle(bench), "the first run to end")
        assert await bench.effects() == []
        await bench.rows("SELECT pg_notify('soniq_sa:soniq_jobs', '')")
        await bench.until_state(handle, "done")
        assert worker is not None
    assert await bench.effects() == ["run 2"]


async def worker_is_idle(bench: Bench) -> bool:
    """Tell whether no handler's transaction is open."""
    ((open_ones,),) = await bench.rows(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND state LIKE 'idle in transaction%'"
    )
    return bool(open_ones == 0)


async def test_after_a_lost_lease_the_worker_runs_other_jobs_and_keeps_its_new_lease(
    bench: Bench,
) -> None:
    @bench.task()
    async def quick() -> None:
        pass

    async with bench.worker(**QUICK):
        for turn in range(3):
            (old,) = await bench.rows("DELETE FROM soniq_workers RETURNING id")
            await bench.until(
                lambda turn=turn: len(bench.events_of(LeaseLost)) == turn + 1,  # type: ignore[misc]
                "the worker to notice",
            )
            handle = await bench.soniq.enqueue(quick)
            row = await bench.until_state(handle, "done")
            assert row.worker_id != old.id
            assert (row.crashes, row.claims) == (0, 1)
    assert await bench.rows("SELECT * FROM soniq_workers") == []


async def test_a_blocked_loop_does_not_lose_the_lease(bench: Bench) -> None:
    @bench.task(retries=0)
    async def block() -> None:
        time.sleep(2.5)  # noqa: ASYNC251 - what must not be done

    handle = await bench.soniq.enqueue(block)
    other = Bench(bench.url)

    @other.task(name="block", retries=0)
    async def never() -> None:
        raise AssertionError("a second start")

    ready, leave = threading.Event(), threading.Event()

    async def second_worker() -> None:
        async with other.worker(lease=1, heartbeat=0.2, rescue_interval=0.1, queues=["other"]):
            ready.set()
            await asyncio.to_thread(leave.wait, 20)
        await other.engine.dispose()

    other.soniq.tasks.declared_queues |= {"other"}
    thread = threading.Thread(target=asyncio.run, args=[second_worker()])
    thread.start()
    await asyncio.to_thread(ready.wait, 10)
    try:
        async with bench.worker(lease=1, heartbeat=0.2):
            row = await bench.until_state(handle, "done")
    finally:
        leave.set()
        await asyncio.to_thread(thread.join)
    assert (row.claims, row.crashes) == (1, 0)
    assert other.events_of(JobsRescued) == []
    assert bench.events_of(LeaseLost) == []


async def test_worker_ids_are_random_and_not_made_of_host_and_process(bench: Bench) -> None:
    async with bench.worker(), bench.worker():
        rows = await bench.rows("SELECT id, name FROM soniq_workers")
    assert len({row.name for row in rows}) == 1
    assert len({row.id for row in rows}) == 2
    assert {event.worker_id for event in bench.events_of(WorkerStarted)} == {row.id for row in rows}


async def test_the_job_of_a_worker_that_nobody_knows_is_put_back(bench: Bench) -> None:
    """Rows that name a worker without a row, as a restored backup has them."""

    @bench.task()
    async def quick() -> None:
        pass

    handle = await bench.soniq.enqueue(quick.options(delay=3600))
    await bench.rows(
        "UPDATE soniq_jobs SET state = 'processing', claims = 7, worker_id = gen_random_uuid(), "
        "claimed_at = now()"
    )
    async with bench.worker(lease=1, heartbeat=0.2):
        row: Any = await bench.until_state(handle, "done")
    assert (row.claims, row.crashes) == (8, 1)
