"""Rows stay locked by connections that have fallen silent: that holds up nobody else, and not for long."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import inject
from soniq_sa.events import JobsDone
from soniq_sa.localserver.databases import libpq_url
from soniq_sa.runtime import handler
from tests.runtime.bench import PATIENCE, Bench
from tests.runtime.models import Effect


async def test_an_end_that_waits_for_a_lock_does_not_hold_up_the_others(bench: Bench) -> None:
    leave = asyncio.Event()
    inside = []

    @bench.task()
    async def stay(number: int) -> None:
        inside.append(number)
        await leave.wait()

    handles = [await bench.soniq.enqueue(stay, number) for number in range(10)]
    async with bench.worker():
        await bench.until(lambda: len(inside) == 10, "all to run")
        async with bench.engine.connect() as silent:
            for locked in handles[:2]:
                lock = text("SELECT 1 FROM soniq_jobs WHERE id = :id FOR UPDATE")
                await silent.execute(lock, {"id": locked.id})
            leave.set()
            for handle in handles[2:]:
                await bench.until_state(handle, "done", 3 * PATIENCE)
            for locked in handles[:2]:
                assert (await bench.row(locked)).state == "processing"
            await silent.rollback()
        for locked in handles[:2]:
            assert (await bench.until_state(locked, "done")).claims == 1
    assert sorted(inside) == list(range(10))


@pytest.mark.parametrize("retention", [3600, 0], ids=["kept", "deleted"])
async def test_postgresql_waits_for_a_commit_so_long_and_no_longer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, retention: int
) -> None:
    """As when a connection falls silent just then: the row is free again, and the job is run again."""
    monkeypatch.setattr(handler, "COMMIT_WITHIN", 2.0)
    runs: list[Session] = []

    @bench.task(retries=0, retention=retention)
    async def note(session: AsyncSession = inject()) -> None:
        runs.append(session.sync_session)
        session.add(Effect(note=f"run {len(runs)}"))
        if len(runs) == 1:
            event.listen(session.sync_session, "before_commit", until_rolled_back(bench.url))

    await bench.soniq.enqueue(note)
    async with bench.worker():
        await bench.until(lambda: bool(bench.events_of(JobsDone)), "the end of the job")
    rows = await bench.rows("SELECT claims, attempts FROM soniq_jobs")
    assert rows == ([(2, 1)] if retention else [])
    assert len(runs) == 2
    assert await bench.effects() == ["run 2"]


def until_rolled_back(url: str) -> Any:
    """Return a listener that waits until PostgreSQL has given up waiting for a transaction."""

    def wait(_session: Session) -> None:
        deadline = time.monotonic() + PATIENCE
        with psycopg.connect(libpq_url(url), autocommit=True) as connection:
            while connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() "
                "AND state = 'idle in transaction'"
            ).fetchall():
                assert time.monotonic() < deadline, "PostgreSQL still waits"

    return wait
