import asyncio
import os

from soniq_sa import AsyncSoniqSession, Soniq, inject
from soniq_sa.models import include_tables
from sqlalchemy import ForeignKey, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"])
Session = async_sessionmaker(engine, class_=AsyncSoniqSession)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int]


class Invoice(Base):
    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))


# fmt: off
# region example
include_tables(Base.metadata)                      # four tables more, in your Alembic history
soniq = Soniq(Base.metadata)

@soniq.job(retries=5)
async def issue_invoice(order: Order, *, session: AsyncSession = inject()) -> None:
    session.add(Invoice(order_id=order.id))        # committed together with the job's end
# endregion


async def place_order() -> None:
    # region example
    async with Session.begin() as session:
        order = Order(total=10)
        session.add(order)                             # has no id yet
        session.enqueue(issue_invoice, order)          # no I/O; gone if this rolls back
    # endregion
# fmt: on


async def main() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await place_order()
    await soniq.run_worker(run_once=True)
    async with Session() as session:
        assert await session.scalar(select(func.count(Invoice.id))) == 1
    await engine.dispose()


asyncio.run(main())
