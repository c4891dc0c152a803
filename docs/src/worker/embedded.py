import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# region lifespan
from fastapi import FastAPI
from soniq_sa import Worker

from jobs import engine, greet, soniq


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    worker = Worker(soniq, concurrency=10)
    running = asyncio.create_task(worker.run())
    yield
    worker.stop()
    await running


app = FastAPI(lifespan=lifespan)
# endregion


async def serve() -> None:
    async with lifespan(app):
        await soniq.enqueue(greet, "Ann")
    await soniq.run_worker(run_once=True)
    await engine.dispose()


async def main() -> None:
    await soniq.create_all(engine)
    await serve()


asyncio.run(main())
