import asyncio
import logging

from soniq_sa import JobNotFoundError, Worker
from soniq_sa.events import Event, JobsHeld, JobsPruned
from sqlalchemy import text

from jobs import charge, engine, make_report, soniq, touch

log = logging.getLogger("shop")
counted: list[int] = []


# region events
@soniq.events.subscribe
def watch(event: Event) -> None:
    match event:
        case JobsPruned(count=count):
            counted.append(count)
        case JobsHeld(job_ids=ids, why=why):
            log.warning("%d jobs cannot be deleted: %s", len(ids), why)


# endregion


async def days_kept() -> dict[str, float]:
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT task, keep_until - finished_at AS kept FROM soniq_jobs")
        )
        return {row.task: round(row.kept.total_seconds() / 86_400, 3) for row in rows}


async def make_jobs() -> None:
    assert await (await soniq.enqueue(make_report, 7)).result() == "report of 7"
    # region gone
    handle = await soniq.enqueue(touch, "a1")
    try:
        await handle.result()
    except JobNotFoundError:
        print("it has run, and nothing is kept of it")
    # endregion
    await (await soniq.enqueue(charge, 1)).result()
    handle = await soniq.enqueue(charge.options(delay=60), 2)
    await soniq.cancel(handle)


async def main() -> None:
    await soniq.create_all(engine)
    worker = Worker(soniq)
    running = asyncio.create_task(worker.run())
    await make_jobs()
    worker.stop()
    await running
    await Worker(soniq, run_once=True).run()
    assert sum(counted) == 1  # the cancelled one
    assert await days_kept() == {"jobs.make_report": 30, "jobs.charge": 0.042}
    await engine.dispose()


asyncio.run(main())
