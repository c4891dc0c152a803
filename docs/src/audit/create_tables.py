import asyncio

from jobs import engine, soniq


async def main() -> None:
    await soniq.create_all(engine)
    await engine.dispose()


asyncio.run(main())
