import os
from typing import Any

from soniq_sa import AsyncSoniqSession, JobContext, Snooze, Soniq, TaskOptions, inject
from soniq_sa.models import include_tables
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"])
Session = async_sessionmaker(engine, class_=AsyncSoniqSession)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)


class Upload(Base):
    __tablename__ = "uploads"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str]
    ready: Mapped[bool] = mapped_column(default=False)


tables = include_tables(Base.metadata)
soniq = Soniq(Base.metadata, sessionmaker=Session)


class AuthenticationError(Exception):
    """Stand for an error that another attempt does not mend."""


class RateLimitedError(Exception):
    def __init__(self, retry_after: float) -> None:
        super().__init__(f"retry after {retry_after} s")
        self.retry_after = retry_after


class Response:
    def __init__(self, status: int, retry_after: int = 0) -> None:
        self.status = status
        self.retry_after = retry_after


class Partner:
    """Stand in for a service that answers as it is told to."""

    def __init__(self) -> None:
        self.answers: list[Response | Exception] = []
        self.calls: list[Any] = []

    async def post(self, *call: Any) -> Response:
        self.calls.append(call)
        answer = self.answers.pop(0) if self.answers else Response(200)
        if isinstance(answer, Exception):
            raise answer
        return answer


partner = Partner()


# region task
@soniq.job(name="users.send_welcome", queue="emails", retries=3, retry_delay=[5, 30, 300])
async def send_welcome(email: str, *, ctx: JobContext = inject()) -> None:
    await partner.post("/mails", email, ctx.job_id)


# endregion


@soniq.job
async def deliver_webhook(url: str, event: str) -> None:
    await partner.post(url, event)


# region snooze
@soniq.job(retries=3)
async def call_partner(order_id: str) -> dict[str, Any] | Snooze:
    response = await partner.post(f"/orders/{order_id}")
    if response.status == 429:
        return Snooze(response.retry_after, f"rate limited on {order_id}")
    return {"order_id": order_id, "ok": True}


# endregion


# region policy
def patient(error: BaseException, attempt: int) -> float | None:
    match error:
        case AuthenticationError():
            return None
        case RateLimitedError():
            return error.retry_after
        case _:
            return min(2.0**attempt, 300)


network: TaskOptions = {"retries": 5, "retry_policy": patient}


@soniq.job(**network)
async def sync_customer(customer_id: int) -> None:
    await partner.post(f"/customers/{customer_id}")


# endregion


thumbnails: list[str] = []


def resize(path: str, pixels: int) -> None:
    thumbnails.append(f"{path} {pixels}")


# region upload
@soniq.job(queue="media", timeout=600, retries=2)
def process_upload(upload_id: int, *, ctx: JobContext = inject()) -> None:
    with ctx.transaction() as session:
        path = session.get_one(Upload, upload_id).path
    sizes = (150, 300, 800)
    for number, pixels in enumerate(sizes, start=1):
        resize(path, pixels)
        ctx.progress(number, len(sizes), f"{pixels} pixels")
    with ctx.transaction() as session:
        session.get_one(Upload, upload_id).ready = True


# endregion


# region report
@soniq.job(name="compute_summary", retention=300)
async def compute_summary(a: int, b: int) -> dict[str, int]:
    return {"total": a + b}


# endregion


@soniq.job(name="billing.charge", retries=0)
async def charge(order_id: int) -> None:
    raise ConnectionError(f"order {order_id}: the bank does not answer")
