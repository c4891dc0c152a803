import os

from pydantic import BaseModel, PositiveInt
from soniq_sa import AsyncSoniqSession, Soniq
from soniq_sa.models import include_tables
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"])
Session = async_sessionmaker(engine, class_=AsyncSoniqSession)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)


include_tables(Base.metadata)
soniq = Soniq(Base.metadata, sessionmaker=Session)


# region model
class InvoiceArgs(BaseModel):
    order_id: PositiveInt
    copies: int = 1


send_invoice = soniq.ref("billing.send_invoice", InvoiceArgs, queue="billing", retries=5)
# endregion


# region stub
@soniq.stub(name="billing.remind", queue="billing")
async def remind(order: Order, *, days: int = 14) -> str:
    raise NotImplementedError


# endregion
# region lenient
lenient = Soniq(Base.metadata, sessionmaker=Session, unknown_tasks="warn")
# endregion
