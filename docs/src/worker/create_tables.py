import asyncio

# region tables
from jobs import engine, soniq


async def main() -> None:
    await soniq.create_all(engine)  # with a sync engine: without await
    await engine.dispose()


asyncio.run(main())
# endregion
