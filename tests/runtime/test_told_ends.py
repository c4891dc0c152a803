"""Each end is told once, however often its batch has to be written."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from soniq_sa import Snooze, inject
from soniq_sa.events import JobFailed, JobsDone, JobSnoozed
from soniq_sa.link import DatabaseAway
from soniq_sa.runtime.recorder import Recorder
from tests.runtime.bench import Bench


def losing(monkeypatch: pytest.MonkeyPatch, method: str, times: int) -> asyncio.Event:
    """Have one step of the recorder fail so many times; return what is set when it does not."""
    step = getattr(Recorder, method)
    left, over = [None] * times, asyncio.Event()

    async def lost(recorder: Recorder, ends: Iterable[Any]) -> None:
        if left:
            left.pop()
            raise DatabaseAway("cut")
        await step(recorder, ends)
        over.set()

    monkeypatch.setattr(Recorder, method, lost)
    return over


async def test_an_end_that_its_session_has_committed_is_told_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = losing(monkeypatch, "_announce_returns", 3)

    @bench.task()
    async def later(session: AsyncSession = inject()) -> Snooze:
        await session.connection()
        return Snooze(60)

    await bench.soniq.enqueue(later)
    async with bench.worker():
        await bench.until(over.is_set, "the batch to be written")
    assert len(bench.events_of(JobSnoozed)) == 1


async def test_what_is_written_of_a_batch_is_told_though_the_rest_has_to_wait(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = losing(monkeypatch, "_write_otherwise", 2)
    together = asyncio.Barrier(2)

    @bench.task()
    async def good() -> None:
        await together.wait()

    @bench.task(retries=0)
    async def bad() -> None:
        await together.wait()
        raise ValueError("no")

    done, failed = await bench.soniq.enqueue(good), await bench.soniq.enqueue(bad)
    async with bench.worker():
        await bench.until(over.is_set, "the batch to be written")
        await bench.until_state(failed, "dead")
    assert [told.job_ids for told in bench.events_of(JobsDone)] == [[done.id]]
    assert [told.job_id for told in bench.events_of(JobFailed)] == [failed.id]
    assert (await bench.row(done)).attempts == 1
