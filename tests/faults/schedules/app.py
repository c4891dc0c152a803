"""The application of the schedules' workers: ``SONIQ_SA_APP=tests.faults.schedules.app:soniq``.

Each handler tells the journal when it starts and how it ends. Those with a session leave an `Effect`,
which is committed with the end of the job or not at all.
"""

from __future__ import annotations

import asyncio
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from soniq_sa import AsyncSoniqSession, JobContext, Locked, Snooze, Soniq, inject
from soniq_sa.models import include_tables
from tests.faults.schedules import mutants
from tests.faults.schedules.journal import JOURNAL, note


class Base(DeclarativeBase):
    """The application's base."""


class Effect(Base):
    """What a handler with a session leaves behind."""

    __tablename__ = "effects"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[UUID]
    process: Mapped[int]


class Order(Base):
    """An entity that is handed to a job, which pays it once."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    paid: Mapped[int] = mapped_column(default=0)


include_tables(Base.metadata)
soniq = Soniq(Base.metadata)
mutants.apply()
if "FAKETIME" in os.environ:
    # libfaketime also moves the absolute times of the monotonic clock that time.sleep() hands over since
    # Python 3.11: it fails, or takes hours. A worker on a machine with a wrong clock sleeps as others do.
    time.sleep = lambda seconds: select.select([], [], [], seconds) and None  # type: ignore[assignment]


@dataclass(frozen=True)
class Kind:
    """What the checker has to know of a task.

    in_session: Whether its end is committed with its effects.
    dies_of: The reasons for which a job of it may be dead, beside three crashes.
    """

    in_session: bool = False
    dies_of: frozenset[str] = frozenset()


KINDS = {
    "charge": Kind(in_session=True),
    "charge_sync": Kind(in_session=True),
    "parent": Kind(in_session=True),
    "pay": Kind(in_session=True),
    "fail_once": Kind(in_session=True),
    "snooze": Kind(in_session=True),
    "send": Kind(),
    "send_sync": Kind(),
    "block": Kind(),
    "doomed": Kind(dies_of=frozenset({"retries exhausted"})),
    "poison": Kind(dies_of=frozenset({"crashed worker"})),
}

MANY = 20
"""Retries of the tasks that succeed in the end: what kills a job of theirs is a defect."""


@contextmanager
def told(ctx: JobContext) -> Iterator[None]:
    """Tell the journal of a run: its start, and whether it went through."""
    run = uuid4().hex[:12]
    note("start", job=str(ctx.job_id), run=run, attempt=ctx.attempt)
    how = "left"
    try:
        yield
        how = "end"
    finally:
        note(how, job=str(ctx.job_id), run=run)


@soniq.job(name="charge", retries=MANY, retry_delay=0.3)
async def charge(
    nap: float = 0,
    parent: str | None = None,  # noqa: ARG001 - the checker reads it in the table
    session: AsyncSession = inject(),
    ctx: JobContext = inject(),
) -> None:
    with told(ctx):
        session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
        await session.flush()
        await asyncio.sleep(nap)


@soniq.job(name="charge_sync", retries=MANY, retry_delay=0.3)
def charge_sync(nap: float = 0, session: Session = inject(), ctx: JobContext = inject()) -> None:
    with told(ctx):
        session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
        session.flush()
        time.sleep(nap)


@soniq.job(name="parent", retries=MANY, retry_delay=0.3)
async def parent(
    nap: float = 0, session: AsyncSoniqSession = inject(), ctx: JobContext = inject()
) -> None:
    with told(ctx):
        session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
        if mutants.chosen() == "children apart":
            await soniq.enqueue(charge, parent=str(ctx.job_id))
            await asyncio.sleep(0.5)  # for a kill to come in between
        else:
            session.enqueue(charge, parent=str(ctx.job_id))
        await session.flush()
        await asyncio.sleep(nap)


@soniq.job(name="pay", retries=MANY, retry_delay=0.3)
async def pay(
    order: Annotated[Order, Locked],
    nap: float = 0,
    session: AsyncSession = inject(),
    ctx: JobContext = inject(),
) -> None:
    with told(ctx):
        order.paid += 1
        session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
        await asyncio.sleep(nap)


@soniq.job(name="fail_once", retries=MANY, retry_delay=0.3)
async def fail_once(session: AsyncSession = inject(), ctx: JobContext = inject()) -> None:
    with told(ctx):
        session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
        await session.flush()
        if ctx.attempt == 1:
            raise ValueError("the first time")


@soniq.job(name="snooze", retries=MANY, retry_delay=0.3)
async def snooze(session: AsyncSession = inject(), ctx: JobContext = inject()) -> Snooze | None:
    with told(ctx):
        mark = Path(os.environ[JOURNAL]).with_name(f"snoozed-{ctx.job_id}")
        if not mark.exists():
            mark.touch()
            return Snooze(0.5)
        session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
        return None


@soniq.job(name="send", retries=MANY, retry_delay=0.3)
async def send(nap: float = 0, ctx: JobContext = inject()) -> None:
    with told(ctx):
        await asyncio.sleep(nap)


@soniq.job(name="send_sync", retries=MANY, retry_delay=0.3)
def send_sync(nap: float = 0, ctx: JobContext = inject()) -> None:
    with told(ctx):
        time.sleep(nap)


@soniq.job(name="block", retries=MANY, retry_delay=0.3)
async def block(nap: float = 0, ctx: JobContext = inject()) -> None:
    with told(ctx):
        time.sleep(nap)  # noqa: ASYNC251 - what must not be done


@soniq.job(name="doomed", retries=1, retry_delay=0.2)
async def doomed(ctx: JobContext = inject()) -> None:
    with told(ctx):
        raise ValueError("every time")


@soniq.job(name="poison", retries=MANY, retry_delay=0.3)
async def poison(ctx: JobContext = inject()) -> None:
    with told(ctx):
        note("dies", job=str(ctx.job_id))
        sys.stderr.flush()
        os._exit(1)
