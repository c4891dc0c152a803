"""The application that is measured: its models, its jobs, and the database URL from the environment."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from soniq_sa import Soniq
from soniq_sa.ids import uuid7
from soniq_sa.models import include_tables
from tests.bench.cells import Cells


class Base(DeclarativeBase):
    """The base of the application."""


class Order(Base):
    """What an application stores anyway."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]
    total: Mapped[int]


class PlainRow(Base):
    """A row as wide as a job, with nothing of soniq-sa: what one more ORM row costs."""

    __tablename__ = "plain_rows"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, insert_default=uuid7)
    task: Mapped[str]
    queue: Mapped[str] = mapped_column(insert_default="default")
    state: Mapped[str] = mapped_column(insert_default="queued")
    priority: Mapped[int] = mapped_column(insert_default=100)
    run_at: Mapped[datetime] = mapped_column(
        TIMESTAMP(timezone=True), server_default=func.now(), index=True
    )
    args: Mapped[dict[str, Any]] = mapped_column(JSONB)
    attempts: Mapped[int] = mapped_column(insert_default=0)
    max_attempts: Mapped[int] = mapped_column(insert_default=4)
    claims: Mapped[int] = mapped_column(insert_default=0)
    crashes: Mapped[int] = mapped_column(insert_default=0)
    created_at: Mapped[datetime] = mapped_column(
        TIMESTAMP(timezone=True), server_default=func.now()
    )


include_tables(Base.metadata)
soniq = Soniq(Base.metadata)
cells = Cells.from_environment()


def payload(number: int) -> dict[str, Any]:
    """Return the arguments of every job that is drained or enqueued."""
    return {"i": number, "s": "hello-world"}


async def count_run(i: int, s: str) -> None:
    """Count that a job ran."""
    del i, s
    assert cells is not None
    cells[0] += 1


async def note_start(i: int) -> None:
    """Note when the job with this number started."""
    assert cells is not None
    cells[i] = time.monotonic_ns()


noop = soniq.job(name="noop")(count_run)
stamp = soniq.job(name="stamp")(note_start)


@soniq.job(name="hold")
async def hold(i: int) -> None:
    """Note process and time of the first start, and go on for ever; of the second, and return."""
    assert cells is not None
    first = 4 * i
    if cells[first + 1]:
        cells[first + 2], cells[first + 3] = os.getpid(), time.monotonic_ns()
        return
    cells[first], cells[first + 1] = os.getpid(), time.monotonic_ns()
    await asyncio.Event().wait()
