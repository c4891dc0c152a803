import asyncio

from jobs import charge, engine, soniq


async def main() -> None:
    await soniq.enqueue_many(charge, [{"order": order} for order in (1, 2, 3)])
    await engine.dispose()


asyncio.run(main())
