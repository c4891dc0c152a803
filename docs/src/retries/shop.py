import os

from soniq_sa import JobContext, JobTimeoutError, Soniq, inject
from soniq_sa.models import include_tables
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase

engine = create_async_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


tables = include_tables(Base.metadata)
soniq = Soniq(Base.metadata, engine=engine)


class RateLimitedError(Exception):
    def __init__(self, retry_after: float) -> None:
        super().__init__(f"retry after {retry_after} s")
        self.retry_after = retry_after


class Partner:
    """Stand in for a service that fails as often as it is told to."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    async def call(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


partner = Partner()


# region delays
@soniq.job(retries=3, retry_delay=[1, 10, 60])
async def listed() -> None: ...


@soniq.job(retries=10, retry_delay=5, retry_backoff=2, retry_max_delay=600, retry_jitter=0.5)
async def exponential() -> None: ...


# endregion


# region errors
@soniq.job(retry_on=ConnectionError, give_up_on=(PermissionError, JobTimeoutError))
async def fetch() -> None:
    await partner.call()


# endregion


# region policy
def patient(error: BaseException, attempt: int) -> float | None:
    if isinstance(error, RateLimitedError):
        return error.retry_after
    return 2.0**attempt if isinstance(error, ConnectionError) else None


@soniq.job(retries=10, retry_policy=patient)
async def call_partner(*, ctx: JobContext = inject()) -> None:
    ctx.logger.info("attempt %s of %s", ctx.attempt, ctx.max_attempts)
    await partner.call()


# endregion
