import os
import time

from soniq_sa import AsyncSoniqSession, Cancel, JobContext, Soniq, inject
from soniq_sa.models import include_tables
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"])
Session = async_sessionmaker(engine, class_=AsyncSoniqSession)
metadata = MetaData()
include_tables(metadata)
soniq = Soniq(metadata, sessionmaker=Session)


# region task
@soniq.job
def export_orders(pages: int, ctx: JobContext = inject()) -> int:
    for page in range(pages):
        if ctx.cancelled:
            raise Cancel(f"after {page} pages")
        time.sleep(0.01)
    return pages


# endregion
