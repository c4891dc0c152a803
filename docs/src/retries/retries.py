import asyncio
import logging
from typing import Any

from soniq_sa import JobHandle
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shop import (
    Base,
    RateLimitedError,
    call_partner,
    engine,
    exponential,
    fetch,
    listed,
    partner,
    soniq,
    tables,
)

Attempt, Job = tables.Attempt, tables.Job


async def run(handle: JobHandle[Any]) -> Any:
    await soniq.run_worker(run_once=True)
    async with AsyncSession(engine) as session:
        return await session.get_one(Job, handle.id)


async def show(handle: JobHandle[Any]) -> list[str]:
    async with AsyncSession(engine) as session:
        # region history
        history = select(Attempt).where(Attempt.job_id == handle.id).order_by(Attempt.claim)
        for attempt in await session.scalars(history):
            print(attempt.started_at, attempt.outcome, attempt.error)
        # endregion
        return [attempt.outcome for attempt in await session.scalars(history)]


async def main() -> None:
    logging.getLogger("soniq_sa").setLevel(logging.CRITICAL)  # failures are the point
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)

    for task, delays in ((listed, (1, 10, 60, 60)), (exponential, (5, 10, 20, 40))):
        for attempt, longest in enumerate(delays, start=1):
            delay = task.retrying.seconds_after(ValueError(), attempt)
            assert delay is not None
            assert longest * (0.5 if task is exponential else 1) <= delay <= longest

    partner.errors = [ConnectionResetError("reset")]
    job = await run(await soniq.enqueue(fetch))
    assert (job.state, job.attempts) == ("scheduled", 1)

    partner.errors = [PermissionError("no")]
    job = await run(await soniq.enqueue(fetch))
    assert (job.state, job.reason, job.attempts) == ("dead", "gave up", 1)

    partner.errors = [RateLimitedError(0), RateLimitedError(0), KeyError("no")]
    handle = await soniq.enqueue(call_partner)
    job = await run(handle)
    assert (job.state, job.reason, job.attempts) == ("dead", "gave up", 3)
    assert await show(handle) == ["failed"] * 3

    partner.errors = [RateLimitedError(600)]
    job = await run(await soniq.enqueue(call_partner))
    assert 599 < (job.run_at - job.claimed_at).total_seconds() < 610
    await engine.dispose()


asyncio.run(main())
