import asyncio

from soniq_sa import Progress, Worker
from sqlalchemy import func, select

from jobs import Base, Page, Session, engine, may_go_on, read_pages, soniq


async def look() -> None:
    handle = await soniq.enqueue(read_pages, [f"https://example.com/{n}" for n in range(1, 5)])
    found: Progress | None = None
    while found is None or found.done < 2:
        # region read
        progress = await handle.progress()
        if progress is not None and progress.fraction is not None:
            print(f"{progress.fraction:.0%}: {progress.note}")
        # endregion
        found = progress
        await asyncio.sleep(0.01)
    assert (found.done, found.total, found.note) == (2, 4, "https://example.com/2")
    may_go_on.set()
    await handle.result(timeout=30)
    async with Session() as session:
        assert await session.scalar(select(func.count()).select_from(Page)) == 4


async def main() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    worker = Worker(soniq)
    running = asyncio.create_task(worker.run())
    await look()
    worker.stop()
    await running
    await engine.dispose()


asyncio.run(main())
