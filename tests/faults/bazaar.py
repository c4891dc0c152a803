"""The application of the tests of faults, ``--app tests.faults.bazaar:soniq``: the shop and more.

Its handlers are told how each of their runs ends, and may wait for a gate in each.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import JobContext, Retry, Snooze, inject
from soniq_sa.runtime import handler
from tests.process.shop import DIARY, Effect, note, opened, soniq

handler.COMMIT_WITHIN = 5.0
"""As long as a test may wait for PostgreSQL to give a silent connection up."""

APP = "tests.faults.bazaar:soniq"
RESULT = "what the handler returned"
PAUSE = 0.1


def begin(ctx: JobContext) -> int:
    """Note a start, and return how many runs of the job there were before."""
    before = Path(os.environ[DIARY]).read_text().splitlines()
    note("start", ctx)
    return sum('"start"' in line and str(ctx.job_id) in line for line in before)


def end(ends: list[str], turn: int, ctx: JobContext) -> Any:
    """End a run in the way that is meant for it; those after the last end like that."""
    note("end", ctx)
    match ends[min(turn, len(ends) - 1)]:
        case "result":
            return RESULT
        case "snooze":
            return Snooze(PAUSE)
        case "retry":
            return Retry(PAUSE)
        case "fail":
            raise ValueError("as it was told")
        case _:
            return None


def gate_of(gates: list[str], turn: int) -> str | None:
    """Return the gate of a run."""
    return gates[turn] if turn < len(gates) else None


def wait_here(gate: str | None) -> None:
    """Wait until a gate is open."""
    while gate is not None and not Path(gate).exists():
        time.sleep(0.01)


@soniq.job(name="step", retry_delay=PAUSE)
async def step(ends: list[str], gates: list[str] = [], ctx: JobContext = inject()) -> Any:  # noqa: B006 - never changed
    turn = begin(ctx)
    if gate := gate_of(gates, turn):
        await opened(gate)
    return end(ends, turn, ctx)


@soniq.job(name="step_sync", retry_delay=PAUSE)
def step_sync(ends: list[str], gates: list[str] = [], ctx: JobContext = inject()) -> Any:  # noqa: B006 - never changed
    turn = begin(ctx)
    wait_here(gate_of(gates, turn))
    return end(ends, turn, ctx)


@soniq.job(name="step_once", retry_delay=PAUSE, retention=0)
async def step_once(ends: list[str], ctx: JobContext = inject()) -> Any:
    """Leave nothing of the job when it is done."""
    return end(ends, begin(ctx), ctx)


def stages(ctx: JobContext) -> Any:
    """Return a query of how many runs have committed something, beside those that failed."""
    return select(func.count()).select_from(Effect).where(Effect.job_id == ctx.job_id)


@soniq.job(name="step_in_session", retry_delay=PAUSE, timeout=2)
async def step_in_session(
    ends: list[str], session: AsyncSession = inject(), ctx: JobContext = inject()
) -> Any:
    begin(ctx)
    turn = (await session.scalar(stages(ctx)) or 0) + ctx.attempt - 1
    session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
    await session.flush()
    return end(ends, turn, ctx)


@soniq.job(name="step_in_sync_session", retry_delay=PAUSE, timeout=2)
def step_in_sync_session(
    ends: list[str], session: Session = inject(), ctx: JobContext = inject()
) -> Any:
    begin(ctx)
    turn = (session.scalar(stages(ctx)) or 0) + ctx.attempt - 1
    session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
    session.flush()
    return end(ends, turn, ctx)


@soniq.job(name="step_once_in_session", retry_delay=PAUSE, timeout=2, retention=0)
async def step_once_in_session(
    ends: list[str], session: AsyncSession = inject(), ctx: JobContext = inject()
) -> Any:
    """Leave nothing of the job when it is done, but its effect."""
    begin(ctx)
    session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
    return end(ends, 0, ctx)


@soniq.job(name="hold_in_sync_session", retry_delay=PAUSE)
def hold_in_sync_session(
    gates: list[str], session: Session = inject(), ctx: JobContext = inject()
) -> None:
    """Write before and after a wait."""
    turn = begin(ctx)
    session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
    session.flush()
    wait_here(gate_of(gates, turn))
    note("end", ctx)


@soniq.job(name="hold_in_transaction", retry_delay=PAUSE)
async def hold_in_transaction(gates: list[str], ctx: JobContext = inject()) -> None:
    """Write in a short transaction that stays open for some time."""
    turn = begin(ctx)
    async with ctx.transaction() as session:
        session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
        await session.flush()
        await still_opened(gate_of(gates, turn))
    note("end", ctx)


@soniq.job(name="hold_in_sync_transaction", retry_delay=PAUSE)
def hold_in_sync_transaction(gates: list[str], ctx: JobContext = inject()) -> None:
    """Write in a short transaction, in a thread that nobody can cancel."""
    turn = begin(ctx)
    with ctx.transaction() as session:
        session.add(Effect(job_id=ctx.job_id, process=os.getpid()))
        session.flush()
        wait_here(gate_of(gates, turn))
    note("end", ctx)


@soniq.job(name="report_when_opened", retry_delay=PAUSE)
def report_when_opened(gates: list[str], ctx: JobContext = inject()) -> None:
    """Say which run this is as its progress, before a wait and after it."""
    turn = begin(ctx)
    ctx.progress(turn, note="before")
    wait_here(gate_of(gates, turn))
    ctx.progress(turn + 100, note="after")
    note("end", ctx)


async def still_opened(gate: str | None) -> None:
    """Wait for a gate, whatever wants to end that."""
    while gate is not None and not await asyncio.to_thread(os.path.exists, gate):
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            continue


@soniq.job(name="note_time", retries=0)
async def note_time(ctx: JobContext = inject()) -> None:
    note("start", ctx)
    note("end", ctx)


@soniq.job(name="outlast", timeout=1, retries=0)
async def outlast(ctx: JobContext = inject()) -> None:
    """Take longer than the time limit."""
    note("start", ctx)
    await asyncio.sleep(3600)
