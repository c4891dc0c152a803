import asyncio
import logging
from datetime import timedelta
from typing import Any

from soniq_sa import JobHandle
from sqlalchemy import select

from shop import (
    Base,
    Session,
    api,
    call_api,
    engine,
    not_kept,
    process_order,
    soniq,
    sync_inventory,
    tables,
)

Attempt = tables.Attempt


async def run(handle: JobHandle[Any]) -> Any:
    await soniq.run_worker(run_once=True)
    return await soniq.get_job(handle)


async def requested() -> None:
    api.answers = [429]
    handle = await soniq.enqueue(call_api, 1)
    job = await run(handle)
    assert (job.state, job.attempts, job.reason) == ("scheduled", 0, "rate limited")
    api.answers = [503]
    await soniq.run_now(handle)
    job = await run(handle)
    assert (job.state, job.attempts, job.error) == ("scheduled", 1, "status 503")
    # region history
    history = select(Attempt).where(Attempt.job_id == handle.id).order_by(Attempt.claim)
    async with Session() as session:
        for attempt in await session.scalars(history):
            print(attempt.started_at, attempt.outcome, attempt.error)
    # endregion
    async with Session() as session:
        (only,) = await session.scalars(history)
    assert only.outcome == "retried"


async def held() -> None:
    delays = [sync_inventory.retrying.seconds_after(OSError(), number) for number in range(1, 6)]
    assert delays == [2, 6, 18, 54, 162]
    api.answers = [ConnectionError("the bank does not answer")]
    job = await run(await soniq.enqueue(process_order, 42))
    assert (job.state, job.reason) == ("dead", "retries exhausted")
    # region requeue
    for letter in await soniq.dead_letters.list(task="process_order"):
        print(letter.id, letter.args, letter.error)
        await soniq.dead_letters.replay(letter.id)
    # endregion
    await soniq.run_worker(run_once=True)
    assert api.calls[-2:] == [("charge", 42), ("charge", 42)]


async def deleted() -> None:
    handle = await soniq.enqueue(not_kept)
    await soniq.run_worker(run_once=True)
    async with Session() as session:
        job = await session.get_one(tables.Job, handle.id)
    assert job.state == "dead"
    assert timedelta(minutes=59) < job.keep_until - job.finished_at < timedelta(minutes=61)


async def main() -> None:
    logging.getLogger("soniq_sa").setLevel(logging.CRITICAL)  # failures are the point
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await requested()
    await held()
    await deleted()
    await engine.dispose()


asyncio.run(main())
