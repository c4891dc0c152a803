import asyncio
import logging

# region hooks
from soniq_sa import CallNext, JobContext

# endregion
# region events
from soniq_sa.events import Event, JobFailed

# endregion
from shop import Base, charge, compute_summary, engine, soniq

lines: list[str] = []
alerts: list[str] = []


# region hooks
@soniq.before_job
def begin(ctx: JobContext) -> None:
    ctx.logger.info("begins, attempt %s of %s", ctx.attempt, ctx.max_attempts)


@soniq.after_job
async def end(ctx: JobContext, result: object) -> None:
    ctx.logger.info("returned %s", result)


@soniq.on_error
async def report(ctx: JobContext, error: Exception) -> None:
    ctx.logger.error("failed: %r", error)


@soniq.middleware
async def request(ctx: JobContext, call_next: CallNext) -> None:
    ctx.logger.info("for request %s", ctx.headers.get("request-id"))
    await call_next()


# endregion


# region events
@soniq.events.subscribe
def alert(event: Event) -> None:
    if isinstance(event, JobFailed) and event.attempt == event.max_attempts:
        alerts.append(f"{event.task} {event.job_id}: {event.failure.summary}")


# endregion


class Lines(logging.Handler):
    """Keep what is logged."""

    def emit(self, record: logging.LogRecord) -> None:
        lines.append(f"{record.name}: {record.getMessage()}")


async def main() -> None:
    logging.getLogger("soniq_sa").setLevel(logging.CRITICAL)  # failures are the point
    for name in ("compute_summary", "billing.charge"):
        logging.getLogger(name).addHandler(Lines())
        logging.getLogger(name).setLevel(logging.INFO)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await soniq.enqueue(compute_summary.options(headers={"request-id": "r7"}), a=1, b=2)
    await soniq.run_worker(run_once=True)
    await soniq.enqueue(charge, 5)
    await soniq.run_worker(run_once=True)
    assert lines == [
        "compute_summary: for request r7",
        "compute_summary: begins, attempt 1 of 4",
        "compute_summary: returned {'total': 3}",
        "billing.charge: for request None",
        "billing.charge: begins, attempt 1 of 1",
        "billing.charge: failed: ConnectionError('order 5: the bank does not answer')",
    ], lines
    assert len(alerts) == 1, alerts
    await engine.dispose()


asyncio.run(main())
