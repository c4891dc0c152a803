"""The application of the workers that are scraped: ``--app tests.observability.shop:soniq``."""

from __future__ import annotations

import os
import time

from soniq_sa import Cancel, JobContext, Snooze, Soniq, inject
from tests.process.shop import Base, note

soniq = Soniq(Base.metadata)


@soniq.job(name="fine")
async def fine(ctx: JobContext = inject()) -> None:
    note("start", ctx)


@soniq.job(name="raises", retries=0)
async def raises(secret: str) -> None:
    raise ValueError(f"this must not become a label: {secret}")


@soniq.job(name="leaves", retries=0)
async def leaves() -> None:
    raise Cancel("no longer wanted")


@soniq.job(name="waits")
async def waits() -> None:
    raise Snooze(3600)


@soniq.job(name="blocks")
async def blocks(gate: str, ctx: JobContext = inject()) -> None:
    """Block the event loop until a gate is open."""
    note("start", ctx)
    while not os.path.exists(gate):  # noqa: ASYNC240, PTH110 - what must not be done
        time.sleep(0.01)  # noqa: ASYNC251 - as above
