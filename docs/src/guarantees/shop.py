import os

from soniq_sa import AsyncSoniqSession, Soniq
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
    points: Mapped[int] = mapped_column(default=0)


class Invoice(Base):
    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))


tables = include_tables(Base.metadata)
soniq = Soniq(Base.metadata, sessionmaker=Session)


class Mail:
    """Stand in for a mail service that knows idempotency keys."""

    def __init__(self) -> None:
        self.sent: dict[str, str] = {}

    async def send(self, text: str, *, key: str) -> None:
        self.sent[key] = text


mail = Mail()
