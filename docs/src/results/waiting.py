import asyncio
import logging

from soniq_sa import JobDeadError, ResultTimeoutError, Worker

from jobs import Report, engine, make_report, soniq

logging.getLogger("soniq_sa").setLevel(logging.ERROR)


async def ask() -> None:
    # region result
    handle = await soniq.enqueue(make_report, "Sales")
    report = await handle.result(timeout=30)
    # endregion
    assert isinstance(report, Report)
    assert report.title == "Sales"

    handle = await soniq.enqueue(make_report, "")
    # region failure
    try:
        await handle.result(timeout=30)
    except JobDeadError as error:
        print(error)
    except ResultTimeoutError:
        print("still running")
    # endregion

    handles = [await soniq.enqueue(make_report, title) for title in ("A", "B", "C")]
    # region several
    ended, running = await soniq.wait(handles, timeout=60)
    first = await asyncio.gather(*(handle.result() for handle in handles))
    # endregion
    assert (len(ended), len(running)) == (3, 0)
    assert [one.title for one in first] == ["A", "B", "C"]

    # region read
    job = await soniq.get_job(handle.id)
    assert job is not None
    print(job.state, job.reason, job.attempts, job.error)
    # endregion


async def main() -> None:
    await soniq.create_all(engine)
    worker = Worker(soniq)
    running = asyncio.create_task(worker.run())
    await ask()
    worker.stop()
    await running
    await engine.dispose()


asyncio.run(main())
