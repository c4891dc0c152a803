import os
from datetime import timedelta

from soniq_sa import Soniq
from soniq_sa.models import include_tables
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"])
metadata = MetaData()
include_tables(metadata)
soniq = Soniq(metadata, engine=engine)


# region tasks
@soniq.job(retention=timedelta(days=30))  # done or cancelled: 30 days
async def make_report(user_id: int) -> str:
    return f"report of {user_id}"


@soniq.job(retention=0)  # done: its end deletes the job
async def touch(session_id: str) -> None: ...


@soniq.job(retention={"done": 3600, "cancelled": 0, "dead": timedelta(days=90)})
async def charge(order_id: int) -> None: ...


# endregion
