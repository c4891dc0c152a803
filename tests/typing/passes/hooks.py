"""Hooks, middleware and resources, sync and async."""

from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    nullcontext,
)
from typing import Any, Self, assert_type

from sqlalchemy.orm import Session

from shop import soniq
from soniq_sa import CallNext, JobContext, JobHandle, NewJob, enqueue, inject


class Client:
    """What handlers share."""

    async def get(self, url: str) -> str:
        return url


class Managed:
    """A context manager that provides itself."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None: ...


@soniq.before_job
def before(ctx: JobContext) -> None: ...


@soniq.before_job
async def before_async(ctx: JobContext) -> None: ...


@soniq.after_job
def after(ctx: JobContext, result: object) -> int:
    return len(f"{ctx.task} {result}")


@soniq.after_job
async def after_async(ctx: JobContext, result: Any) -> None: ...


@soniq.on_error
def on_error(ctx: JobContext, error: Exception) -> None: ...


@soniq.on_error
async def on_error_async(ctx: JobContext, error: BaseException) -> None: ...


@soniq.middleware
async def middleware(ctx: JobContext, call_next: CallNext) -> None:
    result = await call_next()
    ctx.logger.info("%s", result)


@soniq.middleware
async def returning(ctx: JobContext, call_next: CallNext) -> Any:
    ctx.logger.info("returns")
    return await call_next()


@soniq.before_enqueue
def trace(job: NewJob) -> None:
    assert_type(job.headers, dict[str, str])
    job.headers["trace"] = job.task


@soniq.resource
async def client() -> AsyncIterator[Client]:
    yield Client()


@soniq.resource
def model() -> Iterator[Client]:
    yield Client()


@soniq.resource
@asynccontextmanager
async def managed() -> AsyncIterator[Client]:
    yield Client()


@soniq.resource
def returned() -> AbstractAsyncContextManager[Client]:
    return managed()


@soniq.resource
def plain() -> AbstractContextManager[Client]:
    return nullcontext(Client())


soniq.resource(Managed)


@soniq.job
async def fetch(url: str, *, client: Client = inject()) -> str:
    return await client.get(url)


def use(session: Session) -> None:
    assert_type(enqueue(session, fetch, "/"), JobHandle[str])


assert_type(after(JobContext.__new__(JobContext), 1), int)
