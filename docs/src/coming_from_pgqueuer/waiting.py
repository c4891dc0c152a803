import asyncio

from soniq_sa import JobCancelledError, JobState, Worker

from shop import Base, Session, endless, engine, process_user, render, soniq


async def watch() -> None:
    # region wait
    handles = [await soniq.enqueue(render, number) for number in range(3)]
    results = await asyncio.gather(*(handle.result(timeout=30) for handle in handles))

    slow, quick = await soniq.enqueue(endless), await soniq.enqueue(render, 21)
    ended, running = await soniq.wait([slow, quick], return_when="first")
    # endregion
    assert results == [0, 2, 4]
    assert (ended, running) == ({quick}, {slow})

    job_ids = [slow.id, (await soniq.enqueue(render.options(delay=60), 1)).id]
    # region cancel
    async with Session.begin() as session:
        for job_id in job_ids:
            await soniq.control.cancel(session, job_id, reason="the order was withdrawn")
    # endregion
    try:
        await slow.result(timeout=30)
    except JobCancelledError as error:
        print(error)
    else:
        raise AssertionError
    for job_id in job_ids:
        job = await soniq.get_job(job_id)
        assert job is not None
        assert job.state is JobState.CANCELLED


async def share() -> None:
    texts = [await (await soniq.enqueue(process_user, one)).result(timeout=30) for one in (1, 2)]
    assert texts == ["user 1: 1, beta True", "user 2: 2, beta True"]


async def main() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    worker = Worker(soniq)
    running = asyncio.create_task(worker.run())
    await watch()
    await share()
    worker.stop()
    await running
    await engine.dispose()


asyncio.run(main())
