import os

from soniq_sa import Soniq
from soniq_sa.models import include_tables
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int]


# region trigger
include_tables(Base.metadata, notify="trigger")
# endregion

engine = create_async_engine(os.environ["DATABASE_URL"])
soniq = Soniq(Base.metadata, engine=engine)


# region tasks
@soniq.job(name="greet")
async def greet(name: str) -> None:
    print(f"hello, {name}", flush=True)


@soniq.job(name="bill", queue="billing", retries=5)
async def bill(order: Order, *, copy: bool = False) -> None:
    print(f"order {order.id}: {order.total}, {copy=}", flush=True)


# endregion
