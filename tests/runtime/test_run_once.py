"""A worker that works until nothing is due."""

import asyncio

import pytest

from soniq_sa.runtime.parts import Parts
from soniq_sa.runtime.upkeep import DueWatch
from tests.runtime.bench import LONG_POLL, Bench


async def test_run_once_works_until_nothing_is_due_and_returns(bench: Bench) -> None:
    seen: list[str] = []

    @bench.task(retry_delay=0, retries=1)
    async def grow(depth: int) -> None:
        seen.append(f"grow {depth}")
        if depth:
            await bench.soniq.enqueue(grow, depth - 1)
        if len(seen) == 2:
            raise ValueError("once")

    later = await bench.soniq.enqueue(grow.options(delay=60), 0)
    async with bench.sessions.begin() as session:
        session.enqueue_many(grow, [{"depth": 0}] * 250)
        session.enqueue(grow, 3)
    await bench.run_once(poll_interval=LONG_POLL)
    assert len(seen) == 250 + 4 + 1
    assert (await bench.row(later)).state == "scheduled"
    states = await bench.rows("SELECT state, count(*) FROM soniq_jobs GROUP BY state ORDER BY 1")
    assert states == [("done", 254), ("scheduled", 1)]
    assert await bench.rows("SELECT * FROM soniq_workers") == []


async def test_run_once_returns_at_once_when_there_is_nothing(bench: Bench) -> None:
    await bench.run_once(poll_interval=LONG_POLL)


async def test_run_once_runs_jobs_that_may_take_the_worker_down_one_by_one(bench: Bench) -> None:
    @bench.task()
    async def quick() -> None:
        pass

    for _ in range(10):
        await bench.soniq.enqueue_many(quick, [{}] * 5)
        await bench.rows("UPDATE soniq_jobs SET crashes = 2 WHERE state = 'queued'")
        await bench.run_once(concurrency=1)
        assert await bench.rows("SELECT id FROM soniq_jobs WHERE state <> 'done'") == []


async def test_run_once_does_not_miss_what_becomes_due_while_it_looks(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claimer finds nothing; then the job is queued; then the worker asks what else is due."""
    looked, queued = asyncio.Event(), asyncio.Event()
    on_empty, queue_due = Parts._on_empty, DueWatch._queue_due  # noqa: SLF001 - to order them

    async def after_queueing(parts: Parts) -> None:
        looked.set()
        await queued.wait()
        await on_empty(parts)

    async def after_looking(due_watch: DueWatch) -> None:
        await looked.wait()
        await queue_due(due_watch)
        queued.set()

    monkeypatch.setattr(Parts, "_on_empty", after_queueing)
    monkeypatch.setattr(DueWatch, "_queue_due", after_looking)

    @bench.task()
    async def note() -> None:
        pass

    handle = await bench.soniq.enqueue(note.options(delay=0.01))
    await bench.until_due(handle)
    await bench.run_once(poll_interval=LONG_POLL)
    assert (await bench.row(handle)).state == "done"
