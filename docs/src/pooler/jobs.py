import os

from soniq_sa import AsyncSoniqSession, Soniq, inject
from soniq_sa.models import include_tables
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass


include_tables(Base.metadata)

# region asyncpg
engine = create_async_engine(
    os.environ["DATABASE_URL"],
    connect_args={
        "statement_cache_size": 0,
        "prepared_statement_name_func": lambda: "",
    },
)
Session = async_sessionmaker(engine, class_=AsyncSoniqSession)
soniq = Soniq(Base.metadata, sessionmaker=Session)
# endregion

# region psycopg
sync_engine = create_engine(
    os.environ["SYNC_DATABASE_URL"],
    connect_args={"prepare_threshold": None},
)
# endregion


@soniq.job
async def look(session: AsyncSession = inject()) -> None:
    await session.execute(text("SELECT 1"))
