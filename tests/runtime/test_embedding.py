"""A worker inside another program's event loop."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from soniq_sa import (
    ConfigurationError,
    SchemaMissingError,
    TaskDefinitionError,
    UnknownQueueError,
    Worker,
    inject,
)
from soniq_sa.events import (
    Event,
    HandlerAbandoned,
    JobsDone,
    WorkerDraining,
    WorkerStarted,
    WorkerStopped,
)
from tests.runtime.bench import PATIENCE, Bench
from tests.runtime.models import Effect


async def holding(
    bench: Bench, drain_timeout: float = 60
) -> tuple[Worker, asyncio.Task[None], Callable[[], None]]:
    """Run a worker that has one job in its hands; return also its task, and what ends the job."""
    inside, leave = asyncio.Event(), asyncio.Event()

    @bench.task()
    async def hold(session: AsyncSession = inject()) -> None:
        session.add(Effect(note="held"))
        await session.flush()
        inside.set()
        await leave.wait()

    await bench.soniq.enqueue(hold)
    worker = Worker(bench.soniq, drain_timeout=drain_timeout)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(PATIENCE):
        await inside.wait()
    return worker, running, leave.set


async def test_stop_waits_for_what_runs_and_takes_nothing_new(bench: Bench) -> None:
    worker, running, leave = await holding(bench)
    worker.stop()
    await bench.until(lambda: bool(bench.events_of(WorkerDraining)), "the drain")
    later = await bench.soniq.enqueue(next(iter(bench.soniq.tasks)))
    assert not running.done()
    leave()
    async with asyncio.timeout(PATIENCE):
        await running
    assert await bench.effects() == ["held"]
    assert (await bench.row(later)).claims == 0
    assert await bench.rows("SELECT * FROM soniq_workers") == []
    assert [event.released for event in bench.events_of(WorkerStopped)] == [0]


async def test_after_the_drain_timeout_jobs_are_released_without_an_attempt(bench: Bench) -> None:
    worker, running, _ = await holding(bench, drain_timeout=0.2)
    worker.stop()
    async with asyncio.timeout(PATIENCE):
        await running
    (row,) = await bench.rows("SELECT * FROM soniq_jobs")
    assert (row.state, row.attempts, row.crashes, row.worker_id) == ("queued", 0, 0, None)
    assert await bench.rows("SELECT * FROM soniq_attempts") == []
    assert await bench.effects() == []
    assert [event.released for event in bench.events_of(WorkerStopped)] == [1]


async def test_a_second_stop_releases_everything_at_once(bench: Bench) -> None:
    worker, running, _ = await holding(bench)
    worker.stop()
    worker.stop()
    async with asyncio.timeout(PATIENCE):
        await running
    (row,) = await bench.rows("SELECT * FROM soniq_jobs")
    assert (row.state, row.attempts) == ("queued", 0)


async def test_cancelling_the_task_of_the_worker_releases_its_jobs(bench: Bench) -> None:
    _, running, _ = await holding(bench)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(PATIENCE):
            await running
    (row,) = await bench.rows("SELECT * FROM soniq_jobs")
    assert (row.state, row.attempts, row.crashes) == ("queued", 0, 0)
    assert await bench.rows("SELECT * FROM soniq_workers") == []
    assert await bench.effects() == []


async def test_a_stubborn_sync_handler_does_not_keep_the_worker(bench: Bench) -> None:
    inside, leave = threading.Event(), threading.Event()

    @bench.task()
    def stuck() -> None:
        inside.set()
        leave.wait(20)

    handle = await bench.soniq.enqueue(stuck)
    worker = Worker(bench.soniq, drain_timeout=0.1)
    running = asyncio.create_task(worker.run())
    await asyncio.to_thread(inside.wait, 10)
    worker.stop()
    try:
        async with asyncio.timeout(PATIENCE):
            await running
        row = await bench.row(handle)
        assert (row.state, row.attempts) == ("queued", 0)
    finally:
        leave.set()


async def test_a_stubborn_async_handler_does_not_keep_the_worker(bench: Bench) -> None:
    inside, leave = asyncio.Event(), asyncio.Event()

    @bench.task()
    async def stuck() -> None:
        inside.set()
        while not leave.is_set():
            try:
                await leave.wait()
            except asyncio.CancelledError:
                continue

    handle = await bench.soniq.enqueue(stuck)
    worker = Worker(bench.soniq, drain_timeout=0.1)
    running = asyncio.create_task(worker.run())
    await inside.wait()
    worker.stop()
    async with asyncio.timeout(PATIENCE):
        await running
    row = await bench.row(handle)
    leave.set()
    assert (row.state, row.attempts) == ("queued", 0)
    assert [event.job_id for event in bench.events_of(HandlerAbandoned)] == [handle.id]


async def test_a_worker_that_is_stopped_before_it_runs_returns(bench: Bench) -> None:
    worker = Worker(bench.soniq)
    worker.stop()
    async with asyncio.timeout(PATIENCE):
        await worker.run()
    assert await bench.rows("SELECT * FROM soniq_workers") == []


async def test_several_workers_run_after_one_another_in_one_loop(bench: Bench) -> None:
    @bench.task()
    async def quick() -> None:
        pass

    for _ in range(3):
        handle = await bench.soniq.enqueue(quick)
        async with bench.worker():
            await bench.until_state(handle, "done")
    assert len({event.worker_id for event in bench.events_of(WorkerStarted)}) == 3


async def test_no_connection_is_left_when_the_worker_has_ended(bench: Bench) -> None:
    @bench.task()
    async def quick() -> None:
        pass

    beside = Bench(bench.url)
    handle = await bench.soniq.enqueue(quick)
    async with bench.worker():
        await beside.until_state(handle, "done")
    await bench.engine.dispose()

    async def alone() -> bool:
        ((others,),) = await beside.rows(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND query NOT LIKE '%pg_notify%'"
        )
        return bool(others == 0)

    await beside.until(alone, "the worker's connections to be gone")
    assert not [one for one in threading.enumerate() if one.name == "soniq-sa-lease"]
    await beside.engine.dispose()


async def test_a_subscriber_that_raises_does_not_stop_the_worker(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[Event] = []

    @bench.task()
    async def quick() -> None:
        pass

    def broken(event: Event) -> None:
        calls.append(event)
        raise ValueError("a subscriber's own error")

    bench.soniq.events.subscribe(broken)
    async with bench.worker():
        for _ in range(3):
            handle = await bench.soniq.enqueue(quick)
            await bench.until_state(handle, "done")
            await bench.until(
                lambda job=handle.id: any(job in one.job_ids for one in bench.events_of(JobsDone)),
                "the event",
            )
    assert len([event for event in calls if isinstance(event, JobsDone)]) == 3
    assert "a subscriber's own error" in caplog.text


async def test_missing_tables_are_named_with_the_command_that_makes_them(bench: Bench) -> None:
    await bench.rows("DROP TABLE soniq_attempts")
    await bench.rows("ALTER TABLE soniq_jobs DROP COLUMN crashes")
    with pytest.raises(SchemaMissingError) as caught:
        await Worker(bench.soniq).run()
    assert "soniq_attempts" in str(caught.value)
    assert "soniq_jobs.crashes" in str(caught.value)
    assert "alembic" in str(caught.value)
    assert "soniq-sa schema check" in str(caught.value)


async def test_options_are_checked_when_the_worker_is_made(bench: Bench) -> None:
    @bench.task(queue="billing")
    async def quick() -> None:
        pass

    with pytest.raises(UnknownQueueError, match="Did you mean 'billing'"):
        Worker(bench.soniq, queues=["biling"])
    with pytest.raises(ConfigurationError, match="CONCURRENCY"):
        Worker(bench.soniq, concurrency=0)
    with pytest.raises(ConfigurationError, match="lease"):
        Worker(bench.soniq, lease=1, heartbeat=1)


async def test_a_handler_that_cannot_be_run_is_refused_at_the_start(bench: Bench) -> None:
    @bench.task()
    async def wrong(other: "NotThere") -> None:  # type: ignore[name-defined]  # noqa: F821
        pass

    with pytest.raises(TaskDefinitionError, match="NotThere"):
        await Worker(bench.soniq).run()
