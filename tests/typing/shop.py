"""What the programs of this folder share: models, and tasks over them."""

import uuid
from typing import Annotated

from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from soniq_sa import JobContext, Locked, Soniq, inject
from soniq_sa.models import JobMixin, include_tables, job_fk


class Base(DeclarativeBase):
    pass


class Tenant(Base):
    __tablename__ = "tenants"

    id: Mapped[int] = mapped_column(primary_key=True)


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int]


class Customer(Base):
    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)


class Job(JobMixin, Base):
    tenant_id: Mapped[int | None] = mapped_column(ForeignKey("tenants.id"))


class Report(Base):
    __tablename__ = "reports"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[uuid.UUID | None] = mapped_column(job_fk())
    job: Mapped[Job | None] = relationship()


include_tables(Base.metadata)

engine = create_engine("postgresql+psycopg://localhost/shop")
async_engine = create_async_engine("postgresql+asyncpg://localhost/shop")
soniq = Soniq(Base.metadata)


@soniq.job
async def send_invoice(
    order: Order,
    *,
    copy: bool = False,
    session: AsyncSession = inject(),
    ctx: JobContext = inject(),
) -> str:
    return f"{session.info} {ctx.attempt} {order.id} {copy}"


@soniq.job(queue="billing", priority=10, retries=5, retry_delay=2.5, timeout=30)
def render(order: Order, pages: int = 1, session: Session = inject()) -> bytes:
    return f"{session.info} {order.id} {pages}".encode()


@soniq.job()
async def ship(orders: list[Order], by_code: dict[str, Order] | None = None) -> int:
    return len(orders) + len(by_code or {})


@soniq.job(name="orders.refund")
async def refund(order: Annotated[Order, Locked], reason: str | None = None) -> None:
    order.total = 0 if reason else order.total


@soniq.job
def remind(user_id: int, customer: Customer | None = None) -> None:
    del user_id, customer
