import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

from soniq_sa import AsyncSoniqSession, JobContext, Retry, Snooze, Soniq, inject
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
    total: Mapped[int]


tables = include_tables(Base.metadata)
soniq = Soniq(Base.metadata, sessionmaker=Session)


class Api:
    """Stand in for a service that answers as it is told to."""

    def __init__(self) -> None:
        self.answers: list[int | Exception] = []
        self.calls: list[Any] = []

    async def call(self, *what: Any) -> int:
        self.calls.append(what)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return answer


api = Api()


# region entrypoint
@soniq.job(name="send_email")
async def send_email(to: str, subject: str = "hello") -> None:
    await api.call("mail", to, subject)


# endregion


# region requested
@soniq.job(retries=5)
async def call_api(order_id: int, *, ctx: JobContext = inject()) -> Retry | Snooze | None:
    status = await api.call(order_id)
    if status == 429:
        return Snooze(30, "rate limited")
    if status >= 500:
        return Retry(2**ctx.attempt, f"status {status}")
    return None


# endregion


# region executor
@soniq.job(retries=5, retry_delay=2, retry_backoff=3, retry_max_delay=600)
async def sync_inventory(sku: str) -> None:
    await api.call(sku)


# endregion


# region hold
@soniq.job(name="process_order", retries=0)
async def process_order(order_id: int) -> None:
    await api.call("charge", order_id)


# endregion


@soniq.job(retries=0, retention={"dead": 3600})
async def not_kept() -> None:
    raise ValueError("not worth keeping")


# region dispatch
@soniq.job
async def notify(kind: Literal["email", "sms"], message: str) -> None:
    match kind:
        case "email":
            await api.call("mail", message)
        case "sms":
            await api.call("sms", message)


# endregion


@soniq.job
async def render(number: int) -> int:
    return number * 2


@soniq.job
async def endless() -> None:
    await asyncio.sleep(3600)


# region resources
@dataclass
class Shared:
    flags: dict[str, bool]
    processed: int = 0


@soniq.resource
async def shared() -> AsyncIterator[Shared]:
    yield Shared(flags={"beta": True})


@soniq.job
async def process_user(user_id: int, *, shared: Shared = inject()) -> str:
    shared.processed += 1
    return f"user {user_id}: {shared.processed}, beta {shared.flags['beta']}"


# endregion
