import asyncio
import logging
from datetime import timedelta
from typing import Any

from soniq_sa import JobHandle

from shop import (
    AuthenticationError,
    Base,
    RateLimitedError,
    Response,
    call_partner,
    charge,
    engine,
    partner,
    soniq,
    sync_customer,
)


async def run(handle: JobHandle[Any]) -> Any:
    await soniq.run_worker(run_once=True)
    return await soniq.get_job(handle.id)


async def retry() -> None:
    partner.answers = [Response(429, retry_after=600)]
    job = await run(await soniq.enqueue(call_partner, "o1"))
    assert (job.state, job.attempts, job.reason) == ("scheduled", 0, "rate limited on o1")
    await soniq.run_now(job.id)
    await soniq.run_worker(run_once=True)
    ended = await soniq.get_job(job.id)
    assert ended is not None
    assert (ended.state, ended.attempts) == ("done", 1)
    assert ended.result == {"order_id": "o1", "ok": True}

    partner.answers = [RateLimitedError(900)]
    job = await run(await soniq.enqueue(sync_customer, 1))
    assert (job.state, job.attempts) == ("scheduled", 1)
    assert timedelta(seconds=880) < job.run_at - job.created_at < timedelta(seconds=960)

    partner.answers = [AuthenticationError("401")]
    job = await run(await soniq.enqueue(sync_customer, 2))
    assert (job.state, job.reason, job.attempts) == ("dead", "gave up", 1)


async def triage() -> None:
    # region dead
    letters = await soniq.dead_letters.list(task="billing.charge", reason="retries exhausted")
    for letter in letters:
        print(letter.id, letter.attempts, letter.args, letter.error)

    new_id = await soniq.dead_letters.replay(letters[0].id, options={"queue": "slow"})
    count = await soniq.dead_letters.replay_many(task="billing.charge")

    stats = await soniq.dead_letters.stats(since=timedelta(hours=24))
    print(stats.total, stats.by_reason, stats.oldest)
    await soniq.dead_letters.purge(older_than=timedelta(days=30))
    # endregion
    assert len(letters) == 2
    assert count == 1  # the other one is replayed already
    assert stats.by_reason == {"retries exhausted": 2, "gave up": 1}
    fresh = await soniq.get_job(new_id)
    assert fresh is not None
    assert (fresh.state, fresh.queue) == ("queued", "slow")
    kept = await soniq.dead_letters.get(letters[0].id)
    assert kept is not None
    assert kept.replays == 1


async def main() -> None:
    logging.getLogger("soniq_sa").setLevel(logging.CRITICAL)  # failures are the point
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await retry()
    for order_id in (1, 2):
        await soniq.enqueue(charge, order_id)
    await soniq.run_worker(run_once=True)
    await triage()
    await engine.dispose()


asyncio.run(main())
