import os
from datetime import date

from pydantic import BaseModel
from soniq_sa import JobContext, Soniq, SoniqSession, inject
from soniq_sa.models import JobMixin, include_tables
from sqlalchemy import Index, create_engine, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

url = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg")
engine = create_engine(url)
Session = sessionmaker(engine, class_=SoniqSession)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int]


# region client
class Job(JobMixin, Base):
    client_id: Mapped[str | None]


Index("ux_jobs_client_id", Job.client_id, unique=True, postgresql_where=Job.state != "dead")
# endregion


tables = include_tables(Base.metadata)
soniq = Soniq(Base.metadata, sessionmaker=Session)
sent: list[str] = []


# region tasks
@soniq.job(retries=0)
def send_email(to: str, subject: str) -> None:
    sent.append(f"{to}: {subject}")


@soniq.job(retries=3, timeout=30)
async def greet(name: str) -> str:
    return f"Hello, {name}!"


# endregion


# region model
class Period(BaseModel):
    first: date
    last: date


@soniq.job
def make_report(period: Period, *, ctx: JobContext = inject()) -> int:
    ctx.logger.info("attempt %s", ctx.attempt)
    return (period.last - period.first).days


# endregion


@soniq.job(name="charge", retries=0)
def charge(order_id: int) -> None:
    raise ConnectionError(f"order {order_id}: the bank does not answer")
