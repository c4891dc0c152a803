import os

from soniq_sa import Soniq
from soniq_sa.models import include_tables
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass


include_tables(Base.metadata)
engine = create_async_engine(os.environ["DATABASE_URL"])
soniq = Soniq(Base.metadata, engine=engine)


@soniq.job(name="charge", queue="billing", retries=0)
async def charge(order: int) -> None:
    if "BANK" not in os.environ:
        raise ConnectionError(f"order {order}: the bank does not answer")
    print(f"order {order} charged", flush=True)
