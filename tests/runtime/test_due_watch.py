"""Queueing what is due, where somebody is in the way."""

import time

import pytest
from sqlalchemy import text

from soniq_sa.runtime.upkeep import DueWatch
from tests.runtime.bench import LONG_POLL, Bench

TURNS = 6


async def test_a_due_job_whose_row_is_locked_is_tried_now_and_then(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = 0
    run_once = DueWatch.run_once

    async def counted(due_watch: DueWatch) -> float | None:
        nonlocal turns
        turns += 1
        return await run_once(due_watch)

    monkeypatch.setattr(DueWatch, "run_once", counted)

    @bench.task()
    async def note() -> None:
        pass

    async with bench.worker(poll_interval=LONG_POLL), bench.engine.connect() as other:
        handle = await bench.soniq.enqueue(note.options(delay=0.3))
        await other.execute(text("SELECT 1 FROM soniq_jobs FOR UPDATE"))
        await bench.until_due(handle)
        turns, began = 0, time.monotonic()
        await bench.until(lambda: turns > TURNS, "some turns")
        paused = time.monotonic() - began
        await other.rollback()
        await bench.until_state(handle, "done")
    assert paused >= (TURNS - 1) * 0.25
