"""The application that is measured: its models, its jobs, and the database URL from the environment."""

from __future__ import annotations

import asyncio
import os
import time

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from soniq_sa import Soniq, inject
from soniq_sa.models import include_tables
from tests.bench.cells import Cells, Tally
from tests.bench.shop import Base, Order

include_tables(Base.metadata)
soniq = Soniq(Base.metadata)
cells = Cells.from_environment()
tally = Tally(cells)


async def count_run(i: int, s: str) -> None:
    """Count that a job ran."""
    del i, s
    tally.count()


async def note_start(i: int) -> None:
    """Note when the job with this number started."""
    tally.stamp(i)


noop = soniq.job(name="noop")(count_run)
stamp = soniq.job(name="stamp")(note_start)


@soniq.job(name="noop_sync")
def noop_sync(i: int, s: str) -> None:
    """Count that a job ran, in a thread."""
    del i, s
    tally.count()


@soniq.job(name="charge")
async def charge(i: int, *, session: AsyncSession = inject()) -> None:
    """Update one row, in the session that also writes the end of the job."""
    await session.execute(update(Order).where(Order.id == i + 1).values(total=Order.total + 1))
    tally.count()


@soniq.job(name="hold")
async def hold(i: int) -> None:
    """Note process and time of the first start, and go on for ever; of the second, and return."""
    first = 4 * i
    if cells[first + 1]:
        cells[first + 2], cells[first + 3] = os.getpid(), time.monotonic_ns()
        return
    cells[first], cells[first + 1] = os.getpid(), time.monotonic_ns()
    await asyncio.Event().wait()
