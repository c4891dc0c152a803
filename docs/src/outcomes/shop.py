import os

from soniq_sa import AsyncSoniqSession, Cancel, Discard, JobContext, Retry, Snooze, Soniq, inject
from soniq_sa.models import include_tables
from sqlalchemy import ForeignKey
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"])
Session = async_sessionmaker(engine, class_=AsyncSoniqSession)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="new")
    total: Mapped[int] = mapped_column(default=10)


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    text: Mapped[str]


tables = include_tables(Base.metadata)
soniq = Soniq(Base.metadata, sessionmaker=Session)


# region asks
@soniq.job(retries=3, retry_delay=60)
async def ship(
    order: Order, *, session: AsyncSoniqSession = inject(), ctx: JobContext = inject()
) -> int | Snooze | Retry | Cancel | Discard:
    match order.status:
        case "unpaid":
            return Snooze(600, "waiting for the payment")
        case "no courier":
            return Retry(reason="no courier")
        case "withdrawn":
            return Cancel("the customer withdrew")
        case "no address":
            return Discard("the order has no address")
    session.add(Note(order_id=order.id, text=f"shipped in attempt {ctx.attempt}"))
    return order.total


# endregion


# region raised
def check_address(order: Order) -> None:
    if order.status == "no address":
        raise Discard("the order has no address")


@soniq.job
async def label(order: Order, *, session: AsyncSoniqSession = inject()) -> None:
    session.add(Note(order_id=order.id, text="label printed"))
    check_address(order)


# endregion
