import os
from datetime import date

from soniq_sa import AsyncSoniqSession, Soniq, SoniqSession, inject
from soniq_sa.models import include_tables
from sqlalchemy import ForeignKey, create_engine, make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

url = make_url(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(default="ann@shop.example")
    total: Mapped[int]


class Line(Base):
    __tablename__ = "lines"

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


tables = include_tables(Base.metadata)

# region factories
async_engine = create_async_engine(url.set(drivername="postgresql+asyncpg"))
Session = async_sessionmaker(async_engine, class_=AsyncSoniqSession)

engine = create_engine(url.set(drivername="postgresql+psycopg"))
SyncSession = sessionmaker(engine, class_=SoniqSession)
# endregion

soniq = Soniq(Base.metadata, sessionmaker=Session)


# region tasks
@soniq.job(queue="billing", retries=5)
async def issue_invoice(
    order: Order, *, copy: bool = False, session: AsyncSession = inject()
) -> None: ...


@soniq.job
async def send_report(customer_id: int, day: date) -> None: ...


# endregion


def create_tables() -> None:
    Base.metadata.create_all(engine)
