import asyncio
import logging

# region hooks
from soniq_sa import JobContext

# endregion
from shop import Base, charge, engine, greet, soniq

lines: list[str] = []


# region hooks
@soniq.before_job
def begin(ctx: JobContext) -> None:
    lines.append(f"begin {ctx.task}")


@soniq.after_job
def succeeded(ctx: JobContext, result: object) -> None:
    lines.append(f"end {ctx.task}: {result}")


@soniq.on_error
def failed(ctx: JobContext, error: Exception) -> None:
    lines.append(f"failed {ctx.task}: {error!r}")


# endregion


def main() -> None:
    logging.getLogger("soniq_sa").setLevel(logging.CRITICAL)  # failures are the point
    Base.metadata.create_all(engine)
    soniq.enqueue_sync(greet, "World")
    asyncio.run(soniq.run_worker(run_once=True))
    soniq.enqueue_sync(charge, 7)
    asyncio.run(soniq.run_worker(run_once=True))
    assert lines == [
        "begin shop.greet",
        "end shop.greet: Hello, World!",
        "begin charge",
        "failed charge: ConnectionError('order 7: the bank does not answer')",
    ], lines
    engine.dispose()


main()
