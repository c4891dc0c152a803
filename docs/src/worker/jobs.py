import os
import time

from soniq_sa import AsyncSoniqSession, Soniq
from soniq_sa.models import include_tables
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass


include_tables(Base.metadata)

# region engine
engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=20)
Session = async_sessionmaker(engine, class_=AsyncSoniqSession)
soniq = Soniq(Base.metadata, sessionmaker=Session)
# endregion


# region timeouts
@soniq.job(timeout=30)
async def fetch(url: str) -> None: ...


@soniq.job(timeout=0)  # no limit
def render(report_id: int) -> None: ...


# endregion


@soniq.job
async def greet(name: str) -> None:
    print(f"hello, {name}", flush=True)


@soniq.job
def slow(seconds: float) -> None:
    time.sleep(seconds)
