"""The application of the worker processes: ``--app tests.process.shop:soniq``.

What its handlers do is told by a file outside the database, written with O_APPEND: one line when a
handler starts, one when it ends. A handler that waits for a gate goes on when that file is there.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from soniq_sa import JobContext, Soniq, inject
from soniq_sa.models import include_tables


class Base(DeclarativeBase):
    """The application's base."""


class Effect(Base):
    """What a handler with a session leaves behind."""

    __tablename__ = "effects"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[UUID]
    process: Mapped[int]


include_tables(Base.metadata)
soniq = Soniq(Base.metadata)

DIARY = "TEST_DIARY"
"""The environment variable that names the file."""


def note(what: str, ctx: JobContext) -> None:
    """Write a line into the diary."""
    line = {
        "what": what,
        "job": str(ctx.job_id),
        "attempt": ctx.attempt,
        "process": os.getpid(),
        "at": time.time(),
    }
    diary = os.open(os.environ[DIARY], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(diary, json.dumps(line).encode() + b"\n")
    os.close(diary)


def runs_so_far() -> int:
    """Return how many starts the diary holds."""
    return Path(os.environ[DIARY]).read_text().count('"start"')


async def opened(gate: str) -> None:
    """Wait until a gate is open."""
    while not os.path.exists(gate):  # noqa: ASYNC110, ASYNC240, PTH110 - opened by another process
        await asyncio.sleep(0.01)


@soniq.job(name="quick", retry_delay=0.5)
async def quick(ctx: JobContext = inject()) -> None:
    note("start", ctx)
    note("end", ctx)


@soniq.job(name="nap", retry_delay=0.5)
async def nap(seconds: float, ctx: JobContext = inject()) -> None:
    note("start", ctx)
    await asyncio.sleep(seconds)
    note("end", ctx)


@soniq.job(name="nap_sync", retry_delay=0.5)
def nap_sync(seconds: float, ctx: JobContext = inject()) -> None:
    note("start", ctx)
    time.sleep(seconds)
    note("end", ctx)


@soniq.job(name="nap_in_session", retry_delay=0.5)
async def nap_in_session(
    seconds: float, session: AsyncSession = inject(), ctx: JobContext = inject()
) -> None:
    note("start", ctx)
    session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
    await asyncio.sleep(seconds)


@soniq.job(name="nap_in_sync_session", retry_delay=0.5)
def nap_in_sync_session(
    seconds: float, session: Session = inject(), ctx: JobContext = inject()
) -> None:
    note("start", ctx)
    session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
    time.sleep(seconds)


@soniq.job(name="fail_once", retry_delay=0.5)
async def fail_once(ctx: JobContext = inject()) -> None:
    note("start", ctx)
    if ctx.attempt == 1:
        raise ValueError("the first time")


@soniq.job(name="wait", retry_delay=0.5)
async def wait(gate: str, ctx: JobContext = inject()) -> None:
    note("start", ctx)
    await opened(gate)
    note("end", ctx)


@soniq.job(name="wait_sync", retry_delay=0.5)
def wait_sync(gate: str, ctx: JobContext = inject()) -> None:
    note("start", ctx)
    while not Path(gate).exists():
        time.sleep(0.01)
    note("end", ctx)


@soniq.job(name="wait_by_turn", retries=0)
async def wait_by_turn(gates: list[str], ctx: JobContext = inject()) -> None:
    """Wait for the gate of this run: the first run succeeds, the second fails."""
    turn = runs_so_far()
    note("start", ctx)
    await opened(gates[turn])
    note("end", ctx)
    if turn == 1:
        raise ValueError("the second run fails")


@soniq.job(name="never_ends", retry_delay=0.5)
def never_ends(ctx: JobContext = inject()) -> None:
    note("start", ctx)
    threading.Event().wait()


@soniq.job(name="never_ends_async", retry_delay=0.5)
async def never_ends_async(ctx: JobContext = inject()) -> None:
    note("start", ctx)
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


@soniq.job(name="never_ends_in_executor", retry_delay=0.5)
async def never_ends_in_executor(ctx: JobContext = inject()) -> None:
    note("start", ctx)
    await asyncio.to_thread(threading.Event().wait)


@soniq.job(name="charge", retry_delay=0.5)
async def charge(
    gate: str | None = None, *, session: AsyncSession = inject(), ctx: JobContext = inject()
) -> None:
    note("start", ctx)
    session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
    await session.flush()
    if gate is not None:
        await opened(gate)
    await session.execute(text("SELECT 'the last statement of the handler'"))
    note("end", ctx)


@soniq.job(name="charge_without_retries", retries=0)
async def charge_without_retries(
    gate: str | None = None, session: AsyncSession = inject(), ctx: JobContext = inject()
) -> None:
    await charge(gate, session=session, ctx=ctx)


@soniq.job(name="charge_in_time", retry_delay=0.5, timeout=2)
async def charge_in_time(session: AsyncSession = inject(), ctx: JobContext = inject()) -> None:
    note("start", ctx)
    session.add(Effect(job_id=ctx.job_id, process=os.getpid()))


@soniq.job(name="charge_sync", retry_delay=0.5)
def charge_sync(
    gate: str | None = None, *, session: Session = inject(), ctx: JobContext = inject()
) -> None:
    note("start", ctx)
    session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
    session.flush()
    while gate is not None and not Path(gate).exists():
        time.sleep(0.01)
    note("end", ctx)


@soniq.job(name="block", retry_delay=0.5)
async def block(seconds: float, ctx: JobContext = inject()) -> None:
    note("start", ctx)
    time.sleep(seconds)  # noqa: ASYNC251 - what must not be done
    note("end", ctx)


POISONS: dict[str, Callable[[], object]] = {
    "exit": lambda: os._exit(1),
    "segfault": lambda: ctypes.string_at(0),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "memory": lambda: [bytearray(10 << 20) for _ in range(60)],
}
"""How a handler can end its process; the last one where the kernel allows less than 600 MB."""


@soniq.job(name="poison", retry_delay=0.5)
async def poison(kind: str = "exit", gate: str | None = None, ctx: JobContext = inject()) -> None:
    note("start", ctx)
    sys.stderr.flush()
    if gate is not None:
        await opened(gate)
    POISONS[kind]()
