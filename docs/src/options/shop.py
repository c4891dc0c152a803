import os

from pydantic import BaseModel, Field
from soniq_sa import AsyncSoniqSession, JobContext, Soniq, inject
from soniq_sa.models import JobMixin, include_tables
from sqlalchemy import ForeignKey
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"])
Session = async_sessionmaker(engine, class_=AsyncSoniqSession)


class Base(DeclarativeBase):
    pass


class Tenant(Base):
    __tablename__ = "tenants"

    id: Mapped[int] = mapped_column(primary_key=True)


# region columns
class Job(JobMixin, Base):
    tenant_id: Mapped[int | None] = mapped_column(ForeignKey("tenants.id"))


# endregion


tables = include_tables(Base.metadata)
soniq = Soniq(Base.metadata, sessionmaker=Session)
seen: list[tuple[str, ...]] = []


# region task
@soniq.job(queue="reports", retries=5, timeout=30, expires_in=3600)
async def make_report(user_id: int, *, ctx: JobContext = inject()) -> None:
    ctx.logger.info("for user %s, tags %s", user_id, ctx.tags)
    seen.append((ctx.headers.get("traceparent", ""), *ctx.tags))


# endregion


# region model
class RefundArgs(BaseModel):
    cents: int = Field(gt=0, le=100_000)
    reason: str = Field(default="", max_length=200)


@soniq.job(args_model=RefundArgs)
async def refund(order_id: int, cents: int, reason: str = "on request") -> None: ...


# endregion
