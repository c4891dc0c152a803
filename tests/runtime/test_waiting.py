"""``await handle.result()``: the result with its type, or why there is none."""

import asyncio
import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from soniq_sa import (
    Cancel,
    ConfigurationError,
    JobCancelledError,
    JobDeadError,
    JobExpiredError,
    JobHandle,
    JobNotFoundError,
    JobState,
    OptionError,
    ResultTimeoutError,
    Soniq,
    Worker,
)
from soniq_sa.engines import make_sync_engine
from tests.runtime.bench import Bench
from tests.runtime.models import Base

PATIENCE = 20.0


@dataclass
class Report:
    title: str
    at: datetime


async def test_the_result_comes_with_its_type(bench: Bench) -> None:
    written = Report("sales", datetime(2026, 11, 20, tzinfo=UTC))

    @bench.task()
    async def make(title: str) -> Report:
        return Report(title, written.at)

    @bench.task()
    async def nothing() -> None:
        pass

    async with bench.worker(poll_interval=30):
        handle = await bench.soniq.enqueue(make, "sales")
        assert await handle.result(PATIENCE) == written
        assert await handle.status() is JobState.DONE
        assert await (await bench.soniq.enqueue(nothing)).result(PATIENCE) is None


async def test_handles_of_every_way_to_enqueue_can_wait(bench: Bench) -> None:
    @bench.task()
    async def double(number: int) -> int:
        return 2 * number

    async with bench.sessions() as session, session.begin():
        handles = [
            session.enqueue(double, 1),
            session.enqueue(double.options(priority=5), 2),
            *session.enqueue_many(double, [{"number": 3}, {"number": 4}]),
        ]
    handles.append(await bench.soniq.enqueue(double, 5))
    async with bench.worker():
        results = await asyncio.gather(*(handle.result(PATIENCE) for handle in handles))
    assert results == [2, 4, 6, 8, 10]


async def test_a_waiter_is_woken_long_before_it_would_look_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soniq_sa.waiting._FIRST_LOOK", 600.0)
    monkeypatch.setattr("soniq_sa.waiting._LAST_LOOK", 600.0)
    release = asyncio.Event()

    @bench.task()
    async def hold() -> str:
        await release.wait()
        return "over"

    async with bench.worker(poll_interval=30):
        handle = await bench.soniq.enqueue(hold)
        await bench.until_state(handle, "processing")
        waiting = asyncio.create_task(handle.result(PATIENCE))
        ask = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%finished_at IS NOT NULL%' AND state = 'idle'"

        async def looked() -> bool:
            return bool((await bench.rows(ask))[0][0])

        await bench.until(looked, "the first look")
        release.set()
        assert await waiting == "over"


@pytest.mark.parametrize("end", ["cancel", "cancel in a session", "delete", "crash"])
async def test_an_end_that_no_run_brought_about_wakes_the_waiter_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr("soniq_sa.waiting._FIRST_LOOK", 600.0)
    monkeypatch.setattr("soniq_sa.waiting._LAST_LOOK", 600.0)

    @bench.task()
    async def quick() -> None:
        pass

    handle = await bench.soniq.enqueue(quick.options(delay=600))
    waiting = handle.future(PATIENCE)

    async def looked() -> bool:
        ask = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%finished_at IS NOT NULL AS%' AND state = 'idle'"
        return bool(await bench.rows(ask))

    await bench.until(looked, "the first look")
    if end == "cancel":
        await bench.soniq.cancel(handle)
    elif end == "cancel in a session":
        async with bench.sessions.begin() as session:
            await bench.soniq.control.cancel(session, handle)
    elif end == "delete":
        await bench.soniq.delete(handle)
    else:
        await bench.rows(
            "UPDATE soniq_jobs SET state = 'processing', claims = 3, crashes = 2, "
            "worker_id = gen_random_uuid(), claimed_at = now()"
        )
        async with bench.worker(lease=1, heartbeat=0.2):
            with pytest.raises(JobDeadError, match="crashed worker"):
                await waiting
        return
    kind = JobNotFoundError if end == "delete" else JobCancelledError
    with pytest.raises(kind):
        await waiting


async def test_a_deleted_job_is_missed_without_any_notification(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soniq_sa.waiting.Waiter._on_message", lambda *_: None)
    monkeypatch.setattr("soniq_sa.waiting._LAST_LOOK", 0.1)

    @bench.task()
    async def quick() -> None:
        pass

    handle = await bench.soniq.enqueue(quick.options(delay=600))
    waiting = handle.future()
    ended, running = await bench.soniq.wait([handle], timeout=0.5)
    assert (ended, running) == (set(), {handle})
    await bench.rows("DELETE FROM soniq_jobs")
    with pytest.raises(JobNotFoundError):
        await waiting


async def test_futures_are_waited_for_like_any_others(bench: Bench) -> None:
    release = asyncio.Event()

    @bench.task()
    async def double(number: int) -> int:
        if number == 2:
            await release.wait()
        return 2 * number

    handles = [await bench.soniq.enqueue(double, number) for number in (1, 2)]
    async with bench.worker():
        quick, slow = (handle.future(PATIENCE) for handle in handles)
        done, pending = await asyncio.wait({quick, slow}, return_when="FIRST_COMPLETED")
        assert (done, pending) == ({quick}, {slow})
        slow.cancel()
        release.set()
        assert await handles[1].result(PATIENCE) == 4
    assert quick.result() == 2


def test_a_program_without_an_event_loop_waits_too(url: str) -> None:
    """It leaves no connection and no task behind: warnings are errors here."""
    engine = make_sync_engine(url)
    soniq = Soniq(Base.metadata, engine=engine)

    @soniq.job(name="double")
    async def double(number: int) -> int:
        return 2 * number

    handle = soniq.enqueue_sync(double, 4)
    assert handle.status_sync() is JobState.QUEUED
    assert handle.progress_sync() is None
    with pytest.raises(ResultTimeoutError):
        handle.result_sync(0.05)
    assert soniq.wait_sync([handle], timeout=0.05) == (set(), {handle})
    worker = threading.Thread(target=lambda: asyncio.run(Worker(soniq, run_once=True).run()))
    worker.start()
    assert handle.result_sync(PATIENCE) == 8
    worker.join()
    assert soniq.wait_sync([handle]) == ({handle}, set())
    with engine.connect() as connection:
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND query NOT LIKE '%pg_notify%'"
        )
        assert connection.execute(text(others)).scalar_one() == 0
    engine.dispose()


async def test_a_job_known_by_its_id_alone_is_waited_for(bench: Bench) -> None:
    @bench.task()
    async def quick() -> str:
        return "done"

    enqueued = await bench.soniq.enqueue(quick)
    handle = bench.soniq.handle(enqueued.id)
    assert handle == enqueued
    async with bench.worker():
        assert await bench.soniq.wait([handle], timeout=PATIENCE) == ({enqueued}, set())
    assert await handle.result() == "done"


async def test_where_a_loop_runs_the_sync_calls_say_what_to_write(bench: Bench) -> None:
    @bench.task()
    async def quick() -> None:
        pass

    handle = await bench.soniq.enqueue(quick)
    with pytest.raises(ConfigurationError, match=r"Write: await handle.result\(\.\.\.\)"):
        handle.result_sync()
    with pytest.raises(ConfigurationError, match=r"Write: await soniq.get_job\(\.\.\.\)"):
        bench.soniq.get_job_sync(handle)


async def test_a_waiter_needs_no_notification(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soniq_sa.waiting.Waiter._on_message", lambda *_: None)

    @bench.task()
    async def quick() -> str:
        return "done"

    handle = await bench.soniq.enqueue(quick)
    waiting = asyncio.create_task(handle.result(PATIENCE))
    async with bench.worker():
        assert await waiting == "done"


async def test_workers_say_nothing_about_ends_that_nobody_waits_for(bench: Bench) -> None:
    heard: list[str] = []

    @bench.task()
    async def quick() -> str:
        return "done"

    async with bench.engine.connect() as connection, bench.worker():
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.add_listener("soniq_sa:soniq_jobs:ends", lambda *said: heard.append(said[-1]))
        first = await bench.soniq.enqueue(quick)
        await bench.until_state(first, "done")
        second = await bench.soniq.enqueue(quick)
        assert await second.result(PATIENCE) == "done"
        third = await bench.soniq.enqueue(quick)
        await bench.until(lambda: third.id.hex in ",".join(heard), "the end of the third job")
        await driver.reset()
    assert first.id.hex not in ",".join(heard)


async def test_an_end_without_a_result_says_why(bench: Bench) -> None:
    @bench.task(retries=0)
    async def fail() -> int:
        raise ValueError("no paper")

    @bench.task()
    async def stop() -> Cancel:
        return Cancel("not wanted")

    @bench.task()
    async def late() -> None:
        pass

    handles = [
        await bench.soniq.enqueue(fail),
        await bench.soniq.enqueue(stop),
        await bench.soniq.enqueue(late.options(expires_in=0)),
    ]
    async with bench.worker():
        with pytest.raises(JobDeadError, match="no paper"):
            await handles[0].result(PATIENCE)
        with pytest.raises(JobCancelledError, match="not wanted"):
            await handles[1].result(PATIENCE)
        with pytest.raises(JobExpiredError, match="expired"):
            await handles[2].result(PATIENCE)


async def test_a_wait_that_is_over_leaves_the_job_alone(bench: Bench) -> None:
    release = asyncio.Event()

    @bench.task()
    async def hold() -> str:
        await release.wait()
        return "over"

    async with bench.worker():
        handle = await bench.soniq.enqueue(hold)
        await bench.until_state(handle, "processing")
        with pytest.raises(ResultTimeoutError, match="is processing by now") as caught:
            await handle.result(0.05)
        assert isinstance(caught.value, TimeoutError)
        release.set()
        assert await handle.result(PATIENCE) == "over"


async def test_a_job_that_is_not_committed_is_said_to_be_missing(bench: Bench) -> None:
    @bench.task()
    async def quick() -> None:
        pass

    async with bench.sessions() as session:
        handle = session.enqueue(quick)
        await session.flush()
        with pytest.raises(JobNotFoundError, match="not committed"):
            await handle.status()
        with pytest.raises(ResultTimeoutError, match="not in the database"):
            await handle.result(0.05)
    assert await bench.soniq.get_job(uuid4()) is None


async def test_a_handle_without_an_application_says_so() -> None:
    handle: JobHandle[Any] = JobHandle(uuid4(), "task")
    with pytest.raises(ConfigurationError, match="not enqueued through a Soniq"):
        await handle.result()


async def test_several_jobs_are_waited_for_together(bench: Bench) -> None:
    release = asyncio.Event()

    @bench.task()
    async def quick() -> int:
        return 1

    @bench.task()
    async def hold() -> int:
        await release.wait()
        return 2

    async with bench.worker():
        first, second = await bench.soniq.enqueue(quick), await bench.soniq.enqueue(hold)
        ended, others = await bench.soniq.wait(
            [first, second], timeout=PATIENCE, return_when="first"
        )
        assert (ended, others) == ({first}, {second})
        assert await bench.soniq.wait([second], timeout=0.05) == (set(), {second})
        release.set()
        ended, others = await bench.soniq.wait([first, second], timeout=PATIENCE)
        assert (ended, others) == ({first, second}, set())
        assert await bench.soniq.wait([]) == (set(), set())
        with pytest.raises(OptionError, match="return_when"):
            await bench.soniq.wait([first], return_when="any")  # type: ignore[arg-type]


async def test_a_record_shows_the_row(bench: Bench) -> None:
    @bench.task(retries=1)
    async def quick() -> list[int]:
        return [1]

    job = quick.options(tags=["a"], headers={"trace": "x"}, priority=7)
    async with bench.worker():
        handle = await bench.soniq.enqueue(job)
        await handle.result(PATIENCE)
    record = await bench.soniq.get_job(handle.id)
    assert record is not None
    assert (record.task, record.state, record.result) == (handle.name, "done", [1])
    assert (record.tags, record.headers, record.priority) == (("a",), {"trace": "x"}, 7)
    assert (record.attempts, record.max_attempts, record.finished) == (1, 2, True)


async def test_the_result_of_a_task_of_another_program_is_json(bench: Bench) -> None:
    @bench.task()
    async def quick() -> datetime:
        return datetime(2026, 11, 20, tzinfo=UTC)

    async with bench.worker():
        handle = await bench.soniq.enqueue(quick)
        assert isinstance(await handle.result(PATIENCE), datetime)
    await bench.rows("UPDATE soniq_jobs SET task = 'elsewhere'")
    record = await bench.soniq.get_job(handle.id)
    assert record is not None
    assert record.result == json.loads('"2026-11-20T00:00:00Z"')
