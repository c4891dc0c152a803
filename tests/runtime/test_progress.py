"""``ctx.progress``: read through the handle, the record and the database while the job runs."""

import asyncio
import math
import threading
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from soniq_sa import JobContext, JobState, OptionError, Progress, inject
from tests.runtime.bench import LONG_POLL, Bench
from tests.runtime.models import Effect
from tests.words.contexts import made_by_hand


async def progress_of(bench: Bench, handle: Any, done: float) -> Progress:
    """Wait until the job has said that it is so far."""
    found: list[Progress] = []

    async def said() -> bool:
        progress = await handle.progress()
        if progress is not None and progress.done == done:
            found.append(progress)
        return bool(found)

    await bench.until(said, f"a progress of {done}")
    return found[0]


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_progress_is_read_while_the_job_runs(bench: Bench, kind: str) -> None:
    release = threading.Event()

    @bench.task(name="work")
    def work(ctx: JobContext = inject()) -> None:
        ctx.progress(1, 4, "pages")
        release.wait(20)

    @bench.task(name="work_async")
    async def work_async(ctx: JobContext = inject()) -> None:
        ctx.progress(1, 4, "pages")
        await asyncio.to_thread(release.wait, 20)

    handle = await bench.soniq.enqueue(work if kind == "sync" else work_async)
    assert await handle.progress() is None
    async with bench.worker(poll_interval=LONG_POLL):
        progress = await progress_of(bench, handle, 1)
        assert (progress.total, progress.note, progress.fraction) == (4, "pages", 0.25)
        assert await handle.status() is JobState.PROCESSING
        record = await bench.soniq.get_job(handle)
        assert record is not None
        assert record.progress == progress
        (row,) = await bench.rows("SELECT * FROM soniq_progress")
        assert (row.job_id, row.done, row.total, row.note) == (handle.id, 1, 4, "pages")
        release.set()
        await handle.result(10)
    assert await handle.progress() == progress


async def test_what_is_said_last_is_written_however_much_was_said(bench: Bench) -> None:
    @bench.task()
    async def work(ctx: JobContext = inject()) -> None:
        for number in range(10_000):
            ctx.progress(number)

    handle = await bench.soniq.enqueue(work)
    async with bench.worker():
        await handle.result(10)
    progress = await handle.progress()
    assert progress is not None
    assert (progress.done, progress.total, progress.note, progress.fraction) == (
        9_999,
        None,
        None,
        None,
    )


async def test_a_worker_that_ends_writes_what_was_said_last(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soniq_sa.runtime.progress._PAUSE", 600.0)
    release = asyncio.Event()

    @bench.task()
    async def work(ctx: JobContext = inject()) -> None:
        ctx.progress(1)
        await release.wait()
        ctx.progress(2)

    handle = await bench.soniq.enqueue(work)
    async with bench.worker():
        await progress_of(bench, handle, 1)
        release.set()
        await handle.result(10)
    await progress_of(bench, handle, 2)


async def test_progress_starts_anew_with_each_attempt(bench: Bench) -> None:
    reached, release = asyncio.Event(), asyncio.Event()

    @bench.task(retry_delay=0)
    async def work(ctx: JobContext = inject()) -> None:
        if ctx.attempt == 1:
            ctx.progress(7)
            await release.wait()
            raise ValueError("once")
        reached.set()
        await release.wait()

    handle = await bench.soniq.enqueue(work)
    async with bench.worker():
        await progress_of(bench, handle, 7)
        release.set()
        release.clear()
        await reached.wait()
        assert await handle.progress() is None
        release.set()
        await handle.result(10)


@pytest.mark.parametrize("by", ["its claim", "its worker"])
async def test_a_run_that_has_lost_the_job_says_nothing_of_it(bench: Bench, by: str) -> None:
    reached, release = asyncio.Event(), asyncio.Event()

    @bench.task()
    async def work(ctx: JobContext = inject()) -> None:
        ctx.progress(1)
        reached.set()
        await release.wait()
        ctx.progress(2)

    handle = await bench.soniq.enqueue(work)
    async with bench.worker():
        await reached.wait()
        await progress_of(bench, handle, 1)
        if by == "its worker":
            await bench.take_away(claims=0)
        else:
            await bench.rows("UPDATE soniq_jobs SET claims = claims + 1")
        release.set()
    assert [row.done for row in await bench.rows("SELECT done FROM soniq_progress")] == [1]


async def test_a_session_of_repeatable_read_is_not_disturbed(url: str) -> None:
    bench = Bench(url, isolation_level="REPEATABLE READ")

    @bench.task(retries=0)
    async def work(session: AsyncSession = inject(), ctx: JobContext = inject()) -> None:
        session.add(Effect(note="worked"))
        await session.flush()
        for number in range(5):
            ctx.progress(number)
            await progress_of(bench, handle, number)

    handle = await bench.soniq.enqueue(work)
    async with bench.worker():
        await bench.until_state(handle, "done")
    assert await bench.effects() == ["worked"]
    await bench.engine.dispose()


async def test_a_hostile_note_is_stored_as_far_as_it_can_be(bench: Bench) -> None:
    @bench.task()
    async def work(note: str, ctx: JobContext = inject()) -> None:
        ctx.progress(0, note="\0\ud800" + note)

    handle = await bench.soniq.enqueue(work, "x" * 5_000)
    async with bench.worker():
        await handle.result(10)
    progress = await handle.progress()
    assert progress is not None
    assert progress.note is not None
    assert progress.note.startswith("\\x00\\ud800x")
    assert "4002 characters left out" in progress.note


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, 10**400, "3", None])
def test_what_is_no_number_is_refused(value: Any) -> None:
    context = made_by_hand()
    with pytest.raises(OptionError, match=r"ctx.progress\(\): done="):
        context.progress(value)
    if value is not None:
        with pytest.raises(OptionError, match=r"ctx.progress\(\): total="):
            context.progress(1, value)


def test_outside_a_worker_progress_is_only_checked() -> None:
    made_by_hand().progress(1, 2, "half")


def test_a_total_of_zero_has_no_fraction() -> None:
    said: list[tuple[float, float | None, str | None]] = []
    made_by_hand(report=lambda *one: said.append(one)).progress(0, 0)
    assert said == [(0.0, 0.0, None)]
