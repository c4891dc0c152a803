import asyncio
import os
from uuid import UUID

from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import sessionmaker

from jobs import engine, soniq

Session = async_sessionmaker(engine)
sync_engine = create_engine(os.environ["DATABASE_URL"].replace("+asyncpg", "+psycopg"))
SyncSession = sessionmaker(sync_engine)


# region session
async def replay(job_id: UUID) -> None:
    async with Session.begin() as session:
        await soniq.dead_letters.replay(job_id, session=session)


def replay_without_an_event_loop(job_id: UUID) -> None:
    with SyncSession.begin() as session:
        soniq.dead_letters.within(session).replay(job_id)


# endregion


async def main() -> None:
    (letter, *_) = await soniq.dead_letters.list()
    await replay(letter.id)
    await asyncio.to_thread(replay_without_an_event_loop, letter.id)
    found = await soniq.dead_letters.get(letter.id)
    assert found
    print(found.replays)
    await engine.dispose()
    sync_engine.dispose()


asyncio.run(main())
