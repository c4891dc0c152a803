import asyncio
from datetime import timedelta

from soniq_sa import Worker

from shop import (
    Base,
    Session,
    Upload,
    compute_summary,
    engine,
    process_upload,
    soniq,
    tables,
    thumbnails,
)


async def ask() -> None:
    # region result
    handle = await soniq.enqueue(compute_summary, a=7, b=35)
    summary = await handle.result(timeout=30)
    job = await soniq.get_job(handle.id)
    # endregion
    assert job is not None
    assert summary == job.result == {"total": 42}
    async with Session() as session:
        row = await session.get_one(tables.Job, handle.id)
    assert timedelta(minutes=4) < row.keep_until - row.finished_at < timedelta(minutes=6)


async def follow() -> None:
    async with Session.begin() as session:
        session.add(Upload(id=7, path="cat.png"))
    # region progress
    handle = await soniq.enqueue(process_upload, upload_id=7)
    progress = await handle.progress()
    if progress is not None:
        print(progress.done, progress.total, progress.note)
    # endregion
    await handle.result(timeout=30)
    async with Session() as session:
        assert (await session.get_one(Upload, 7)).ready
    async with asyncio.timeout(30):
        while progress is None or progress.fraction != 1:
            progress = await handle.progress()
    assert progress.note == "800 pixels"
    assert thumbnails == ["cat.png 150", "cat.png 300", "cat.png 800"]


async def main() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    worker = Worker(soniq)
    running = asyncio.create_task(worker.run())
    await ask()
    await follow()
    worker.stop()
    await running
    await engine.dispose()


asyncio.run(main())
