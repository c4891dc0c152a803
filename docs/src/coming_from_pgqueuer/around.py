import asyncio

# region trace
from contextvars import ContextVar

from soniq_sa import CallNext, JobContext, NewJob

# endregion
from shop import Base, api, engine, send_email, soniq

spans: list[tuple[str, str | None]] = []

# region trace
traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)


@soniq.before_enqueue
def send_trace(job: NewJob) -> None:
    if current := traceparent.get():
        job.headers["traceparent"] = current


@soniq.middleware
async def continue_trace(ctx: JobContext, call_next: CallNext) -> None:
    traceparent.set(ctx.headers.get("traceparent"))
    spans.append((ctx.task, traceparent.get()))
    await call_next()


# endregion


async def main() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    traceparent.set("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    await soniq.enqueue(send_email, to="ann@example.com")
    traceparent.set(None)
    await soniq.run_worker(run_once=True)
    assert spans == [("send_email", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
    assert len(api.calls) == 1
    await engine.dispose()


asyncio.run(main())
