import asyncio
import logging

# region hooks
from soniq_sa import JobContext

# endregion
from soniq_sa.events import Event, HookFailed

from shop import create_tables, engine, soniq

log: list[str] = []


class Sentry:
    """Stand in for a service that collects errors."""

    async def capture(self, error: BaseException, job: str) -> None:
        log.append(f"captured {error!r} of {job}")


sentry = Sentry()


# region hooks
@soniq.before_job
def begin(ctx: JobContext) -> None:
    log.append(f"{ctx.task}: attempt {ctx.attempt}")


@soniq.after_job
async def end(ctx: JobContext, result: object) -> None:
    log.append(f"{ctx.task}: {result}")


@soniq.on_error
async def report(ctx: JobContext, error: Exception) -> None:
    await sentry.capture(error, job=ctx.task)


# endregion


@soniq.job(name="add")
async def add(a: int, b: int) -> int:
    return a + b


@soniq.job(name="divide", retries=0)
def divide(a: int, b: int) -> float:
    return a / b


@soniq.before_job
def broken(ctx: JobContext) -> None:
    raise RuntimeError("this hook is broken")


# region subscribe
@soniq.events.subscribe
def show(event: Event) -> None:
    if isinstance(event, HookFailed):
        log.append(f"broken: {event.hook}")


# endregion


async def main() -> None:
    logging.getLogger("soniq_sa").setLevel(logging.CRITICAL)  # failures are the point
    await create_tables()
    await soniq.enqueue(add, 1, 2)
    await soniq.run_worker(run_once=True)
    await soniq.enqueue(divide, 1, 0)
    await soniq.run_worker(run_once=True)
    print("\n".join(log))
    await engine.dispose()


asyncio.run(main())
