import os
from dataclasses import dataclass
from datetime import UTC, datetime

from soniq_sa import Soniq
from soniq_sa.models import include_tables
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"])
metadata = MetaData()
include_tables(metadata)
soniq = Soniq(metadata, engine=engine)


# region task
@dataclass
class Report:
    title: str
    made_at: datetime


@soniq.job(retries=0)
async def make_report(title: str) -> Report:
    if not title:
        raise ValueError("a report needs a title")
    return Report(title, datetime.now(UTC))


# endregion
