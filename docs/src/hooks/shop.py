import os

from soniq_sa import AsyncSoniqSession, Soniq
from soniq_sa.models import include_tables
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"])
Session = async_sessionmaker(engine, class_=AsyncSoniqSession)


class Base(DeclarativeBase):
    pass


class Invoice(Base):
    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    paid: Mapped[bool] = mapped_column(default=False)


include_tables(Base.metadata)
soniq = Soniq(Base.metadata, sessionmaker=Session)


async def create_tables() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
