"""``soniq.cancel`` and its like: cancelling, putting off, hurrying and deleting single jobs."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import sessionmaker

from soniq_sa import (
    JobCancelledError,
    JobContext,
    JobNotFoundError,
    JobState,
    OptionError,
    Soniq,
    SoniqSession,
    inject,
)
from soniq_sa.engines import make_sync_engine
from tests.runtime.bench import Bench
from tests.runtime.models import Base, Effect

PATIENCE = 20.0


async def hold(bench: Bench, **options: Any) -> tuple[Any, asyncio.Event]:
    """Register a task that runs until the event is set, or it is cancelled."""
    release = asyncio.Event()

    @bench.task(**options)
    async def holding() -> str:
        await release.wait()
        return "over"

    return holding, release


@pytest.mark.parametrize("delay", [0, 60])
async def test_a_job_that_waits_is_cancelled_at_once(bench: Bench, delay: int) -> None:
    called: list[int] = []

    @bench.task()
    async def quick() -> None:
        called.append(1)

    handle = await bench.soniq.enqueue(quick.options(delay=delay))
    assert await bench.soniq.cancel(handle.id, reason="not wanted") is JobState.CANCELLED
    assert await bench.soniq.cancel(handle.id) is JobState.CANCELLED
    async with bench.worker(run_once=True):
        pass
    with pytest.raises(JobCancelledError, match="not wanted"):
        await handle.result(PATIENCE)
    assert called == []


async def test_a_running_async_handler_is_cancelled_by_a_notification(bench: Bench) -> None:
    seen: list[BaseException] = []

    @bench.task(retries=5)
    async def holding() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            seen.append(error)
            raise

    async with bench.worker(poll_interval=30, lease=60, heartbeat=20):
        handle = await bench.soniq.enqueue(holding)
        await bench.until_state(handle, "processing")
        assert await bench.soniq.cancel(handle.id, reason="stop") is JobState.PROCESSING
        row = await bench.until_state(handle, "cancelled")
    assert (row.reason, row.attempts, len(seen)) == ("stop", 1, 1)


async def test_a_lost_notification_only_delays_the_cancelling(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soniq_sa.runtime.parts.cancelled_ids", lambda _said: [])
    holding, _ = await hold(bench)
    async with bench.worker(lease=3, heartbeat=0.5, poll_interval=0.5):
        handle = await bench.soniq.enqueue(holding)
        await bench.until_state(handle, "processing")
        await bench.soniq.cancel(handle.id)
        await bench.until_state(handle, "cancelled")


async def test_a_sync_handler_sees_that_it_is_cancelled(bench: Bench) -> None:
    seen = threading.Event()

    @bench.task(retries=5)
    def working(ctx: JobContext = inject()) -> None:
        deadline = datetime.now(UTC) + timedelta(seconds=PATIENCE)
        while not ctx.cancelled and datetime.now(UTC) < deadline:
            threading.Event().wait(0.01)
        seen.set()
        raise ValueError("gives up")

    async with bench.worker(poll_interval=30):
        handle = await bench.soniq.enqueue(working)
        await bench.until_state(handle, "processing")
        await bench.soniq.cancel(handle.id)
        row = await bench.until_state(handle, "cancelled")
    assert seen.is_set()
    assert row.finished_at is not None


async def test_a_handler_that_is_done_all_the_same_is_done(bench: Bench) -> None:
    @bench.task()
    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "done"
        return "never"

    async with bench.worker():
        handle = await bench.soniq.enqueue(stubborn)
        await bench.until_state(handle, "processing")
        await bench.soniq.cancel(handle.id)
        assert await handle.result(PATIENCE) == "done"
    assert (await bench.row(handle)).state == "done"


async def test_what_a_cancelled_handler_wrote_with_its_session_is_gone(bench: Bench) -> None:
    @bench.task()
    async def writing(session: AsyncSession = inject()) -> None:
        session.add(Effect(name="written"))
        await session.flush()
        await asyncio.Event().wait()

    async with bench.worker():
        handle = await bench.soniq.enqueue(writing)
        await bench.until_state(handle, "processing")
        await bench.soniq.cancel(handle.id)
        await bench.until_state(handle, "cancelled")
    assert await bench.rows("SELECT 1 FROM effects") == []


@pytest.mark.parametrize("ending", ["released", "rescued"])
async def test_a_job_that_leaves_its_worker_after_a_cancel_is_not_run_again(
    bench: Bench, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soniq_sa.runtime.runner.Runner.cancel_jobs", lambda *_: None)
    holding, _ = await hold(bench)
    async with bench.worker(drain_timeout=0):
        handle = await bench.soniq.enqueue(holding)
        await bench.until_state(handle, "processing")
        await bench.soniq.cancel(handle.id, reason="stop")
        if ending == "rescued":
            await bench.rows("UPDATE soniq_jobs SET worker_id = gen_random_uuid()")
    if ending == "rescued":
        async with bench.worker(lease=1, heartbeat=0.3):
            await bench.until_state(handle, "cancelled")
    row = await bench.row(handle)
    assert (row.state, row.reason) == ("cancelled", "stop")


async def test_a_failure_after_a_cancel_is_not_retried(bench: Bench) -> None:
    release = asyncio.Event()

    @bench.task(retries=5)
    async def failing() -> None:
        await release.wait()
        raise ValueError("no")

    async with bench.worker():
        handle = await bench.soniq.enqueue(failing)
        await bench.until_state(handle, "processing")
        await bench.rows("UPDATE soniq_jobs SET cancel_requested_at = now()")
        release.set()
        row = await bench.until_state(handle, "cancelled")
    assert "no" in row.error


async def test_a_job_is_put_off_and_hurried(bench: Bench) -> None:
    holding, release = await hold(bench)
    release.set()
    handle = await bench.soniq.enqueue(holding)
    assert await bench.soniq.reschedule(handle.id, timedelta(hours=1)) is JobState.SCHEDULED
    assert await bench.soniq.reschedule(handle.id, datetime(2100, 1, 1, tzinfo=UTC)) == "scheduled"
    async with bench.worker(poll_interval=30):
        await bench.soniq.run_now(handle)
        assert await handle.result(PATIENCE) == "over"
        with pytest.raises(JobNotFoundError, match="is done"):
            await bench.soniq.run_now(handle.id)


@pytest.mark.parametrize("verb", ["run_now", "retry_now"])
async def test_a_retry_may_be_hurried(bench: Bench, verb: str) -> None:
    attempts: list[int] = []

    @bench.task(retry_delay=600)
    async def failing(ctx: JobContext = inject()) -> None:
        attempts.append(ctx.attempt)
        if ctx.attempt == 1:
            raise ValueError("no")

    async with bench.worker(poll_interval=30):
        handle = await bench.soniq.enqueue(failing)
        await bench.until_state(handle, "scheduled")
        await getattr(bench.soniq, verb)(handle)
        await handle.result(PATIENCE)
    assert attempts == [1, 2]


async def test_only_a_job_that_waits_for_its_retry_is_retried_now(bench: Bench) -> None:
    @bench.task(retries=0)
    async def failing() -> None:
        raise ValueError("no")

    later = await bench.soniq.enqueue(failing.options(delay=60))
    with pytest.raises(JobNotFoundError, match="is scheduled, and does not wait for a retry"):
        await bench.soniq.retry_now(later)
    dead = await bench.soniq.enqueue(failing)
    async with bench.worker():
        await bench.until_state(dead, "dead")
    with pytest.raises(JobNotFoundError, match=r"is dead.*dead_letters.replay"):
        await bench.soniq.retry_now(dead)
    with pytest.raises(JobNotFoundError, match="There is no job"):
        await bench.soniq.retry_now(uuid4())
    assert (await bench.row(later)).state == "scheduled"


async def test_a_priority_is_changed_while_a_job_waits(bench: Bench) -> None:
    order: list[str] = []

    @bench.task()
    async def note(name: str) -> None:
        order.append(name)

    first = await bench.soniq.enqueue(note, "first")
    second = await bench.soniq.enqueue(note, "second")
    await bench.soniq.set_priority(second.id, 1)
    with pytest.raises(OptionError, match="priority"):
        await bench.soniq.set_priority(first.id, 0)
    async with bench.worker(concurrency=1):
        await bench.until_state(first, "done")
    assert order == ["second", "first"]


async def test_a_job_that_does_not_run_is_deleted(bench: Bench) -> None:
    holding, release = await hold(bench)
    waiting = await bench.soniq.enqueue(holding.options(delay=60))
    await bench.soniq.delete(waiting.id)
    assert await bench.soniq.get_job(waiting.id) is None
    async with bench.worker():
        running = await bench.soniq.enqueue(holding)
        await bench.until_state(running, "processing")
        with pytest.raises(JobNotFoundError, match="is processing"):
            await bench.soniq.delete(running.id)
        release.set()
        await running.result(PATIENCE)
    await bench.soniq.delete(running.id)
    with pytest.raises(JobNotFoundError, match="There is no job"):
        await bench.soniq.delete(running.id)
    with pytest.raises(JobNotFoundError, match="There is no job"):
        await bench.soniq.cancel(uuid4())


async def test_control_is_part_of_the_callers_transaction(bench: Bench) -> None:
    holding, release = await hold(bench)
    handle = await bench.soniq.enqueue(holding.options(delay=60))
    control = bench.soniq.control
    async with bench.sessions() as session:
        await control.cancel(session, handle)
        await session.rollback()
    assert await handle.status() is JobState.SCHEDULED
    async with bench.sessions() as session:
        mine = session.enqueue(holding)
        await control.cancel(session, mine)
        await control.run_now(session, handle)
        await session.commit()
    assert await mine.status() is JobState.CANCELLED
    release.set()
    async with bench.worker(poll_interval=30):
        assert await handle.result(PATIENCE) == "over"


def test_control_in_a_sync_session_needs_no_await(url: str) -> None:
    engine = make_sync_engine(url)
    soniq = Soniq(Base.metadata, engine=engine)

    @soniq.job
    async def quick() -> None:
        pass

    with sessionmaker(engine, class_=SoniqSession).begin() as session:
        handle = session.enqueue(quick.options(delay=60))
        soniq.control.set_priority(session, handle, 3)
        assert soniq.control.cancel(session, handle.id, reason="no") is JobState.CANCELLED
    assert handle.status_sync() is JobState.CANCELLED
    record = soniq.get_job_sync(handle)
    assert record is not None
    assert (record.priority, record.reason) == (3, "no")
    engine.dispose()
