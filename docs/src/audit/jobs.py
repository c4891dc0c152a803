import os

from soniq_sa import Soniq
from soniq_sa.models import include_tables
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"])
metadata = MetaData()
include_tables(metadata)
soniq = Soniq(metadata, engine=engine)


@soniq.job(retries=0)
async def charge(order: int) -> None:
    if order == 2:
        raise ConnectionError("the bank does not answer")
