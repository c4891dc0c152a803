"""A worker ends when it is told to, also where the database does not let it."""

import asyncio

from sqlalchemy import text

from soniq_sa import Worker
from soniq_sa.events import WorkerStopped
from soniq_sa.models.channel import channel_of
from tests.runtime.bench import PATIENCE, Bench

SOONER = 6.0
"""Seconds: less than one statement of a worker's own may take."""


async def test_a_second_request_ends_a_worker_whose_statements_wait_for_a_lock(
    bench: Bench,
) -> None:
    inside = asyncio.Event()

    @bench.task()
    async def hold() -> None:
        inside.set()
        await asyncio.sleep(60)

    await bench.soniq.enqueue(hold)
    worker = Worker(bench.soniq)
    running = asyncio.create_task(worker.run())
    await asyncio.wait_for(inside.wait(), PATIENCE)
    async with bench.engine.connect() as other:
        await other.execute(text("LOCK TABLE soniq_jobs"))
        channel = channel_of(bench.soniq.models.jobs)
        await bench.rows("SELECT pg_notify(:channel, '')", channel=channel)
        await bench.until(lambda: waits_for_lock(bench), "the claim to wait")
        worker.stop()
        worker.stop()
        async with asyncio.timeout(SOONER):
            await running
    assert [told.released for told in bench.events_of(WorkerStopped)] == [0]


async def test_what_a_worker_holds_by_the_table_alone_is_given_back_when_it_ends(
    bench: Bench,
) -> None:
    """As after a claim whose answer was lost just before; else a rescue would count a crash."""

    @bench.task(queue="elsewhere")
    async def note() -> None:
        pass

    @bench.task()
    async def warm_up() -> None:
        pass

    handle, first = await bench.soniq.enqueue(note), await bench.soniq.enqueue(warm_up)
    async with bench.worker(queues=["default"]):
        await bench.until_state(first, "done")
        await bench.rows(
            "UPDATE soniq_jobs SET state = 'processing', claims = 1, claimed_at = now(), "
            "worker_id = (SELECT id FROM soniq_workers)"
        )
    row = await bench.row(handle)
    assert (row.state, row.claims, row.crashes, row.worker_id) == ("queued", 1, 0, None)
    assert [told.released for told in bench.events_of(WorkerStopped)] == [1]


async def waits_for_lock(bench: Bench) -> bool:
    """Tell whether a statement waits for a lock."""
    return bool(
        await bench.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' LIMIT 1")
    )
