import asyncio

from sqlalchemy import text

from jobs import engine, soniq


async def main() -> None:
    await soniq.create_all(engine)
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE soniq_jobs SET state = 'queued' WHERE state = 'dead'")
        )
    await engine.dispose()


asyncio.run(main())
