# region program
import asyncio

# endregion
from jobs import engine, soniq


async def prepare() -> None:
    await soniq.create_all(engine)
    await engine.dispose()


asyncio.run(prepare())
# region program
asyncio.run(soniq.run_worker(queues=["default"], run_once=True))
# endregion
