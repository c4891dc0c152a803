import asyncio
from datetime import timedelta

from soniq_sa import JobCancelledError, JobState, Worker

from jobs import Session, engine, export_orders, soniq


async def change() -> None:
    handle = await soniq.enqueue(export_orders.options(delay=3600), 10)
    # region change
    await soniq.reschedule(handle, timedelta(minutes=5))
    await soniq.set_priority(handle, 10)
    await soniq.run_now(handle)
    # endregion
    assert await handle.result(timeout=30) == 10

    # region cancel
    handle = await soniq.enqueue(export_orders, 100_000)
    state = await soniq.cancel(handle.id, reason="the customer has left")
    # endregion
    assert state in {JobState.CANCELLED, JobState.PROCESSING}
    try:
        await handle.result(timeout=30)
    except JobCancelledError as error:
        print(error)

    # region transaction
    async with Session.begin() as session:
        handle = session.enqueue(export_orders.options(delay=60), 10)
        await soniq.control.cancel(session, handle)
    # endregion
    assert await handle.status() is JobState.CANCELLED
    await soniq.delete(handle)


async def main() -> None:
    await soniq.create_all(engine)
    worker = Worker(soniq)
    running = asyncio.create_task(worker.run())
    await change()
    worker.stop()
    await running
    await engine.dispose()


asyncio.run(main())
