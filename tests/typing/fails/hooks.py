"""Hooks, middleware and resources have parameters that the checkers know."""

from collections.abc import AsyncIterator

from soniq_sa import CallNext, JobContext, NewJob

from shop import soniq


@soniq.before_job  # error: "before_job" of "HookDecorators" cannot be || parameter "hook" of type "Before@before_job"
def without_context() -> None: ...


@soniq.after_job  # error: "after_job" of "HookDecorators" cannot be || parameter "hook" of type "After@after_job"
def without_result(ctx: JobContext) -> None: ...


@soniq.on_error  # error: "on_error" of "HookDecorators" cannot be || parameter "hook" of type "Error@on_error"
def of_a_number(ctx: int, error: Exception) -> None: ...


@soniq.middleware  # error: "middleware" of "HookDecorators" cannot be || parameter "middleware" of type "Around@middleware"
def not_async(ctx: JobContext, call_next: CallNext) -> None: ...


@soniq.middleware  # error: "middleware" of "HookDecorators" cannot be || parameter "middleware" of type "Around@middleware"
async def without_next(ctx: JobContext) -> None: ...


@soniq.middleware
async def with_argument(ctx: JobContext, call_next: CallNext) -> None:
    await call_next(ctx)  # error: Too many arguments for "__call__" of "CallNext" || Expected 0 positional arguments


@soniq.before_enqueue  # error: "before_enqueue" of "HookDecorators" cannot be || parameter "hook" of type "Offer@before_enqueue"
async def awaited(job: NewJob) -> None: ...


@soniq.before_enqueue
def number(job: NewJob) -> None:
    job.headers["n"] = 7  # error: expression has type "int", target has type "str" || parameter "value" of type "str"


@soniq.resource  # error: "resource" of "ResourceDecorator" cannot be || parameter "source" of type "Source@resource"
async def coroutine() -> str:
    return "text"


@soniq.resource  # error: "resource" of "ResourceDecorator" cannot be || parameter "source" of type "Source@resource"
async def needing(name: str) -> AsyncIterator[str]:
    yield name


soniq.resource(7)  # error: "resource" of "ResourceDecorator" cannot be || parameter "source" of type "Source@resource"
