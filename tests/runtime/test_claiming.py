"""Which jobs a worker takes, in which order, and when."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from soniq_sa import JobHandle, Soniq
from soniq_sa.localserver.databases import libpq_url
from tests.runtime.bench import LONG_POLL, Bench
from tests.runtime.models import Base


async def test_jobs_of_one_priority_run_in_the_order_of_their_enqueueing(bench: Bench) -> None:
    seen: list[int] = []

    @bench.task()
    async def note(number: int) -> None:
        seen.append(number)

    for number in range(10):
        await bench.soniq.enqueue(note, number)
    async with bench.sessions.begin() as session:
        for number in range(10, 20):
            session.enqueue(note, number)
    async with bench.sessions.begin() as session:
        session.enqueue_many(note, [{"number": number} for number in range(20, 30)])
    await bench.run_once(concurrency=1)
    assert seen == list(range(30))


async def test_a_lower_priority_number_runs_first(bench: Bench) -> None:
    seen: list[int] = []

    @bench.task(priority=50)
    async def note(number: int) -> None:
        seen.append(number)

    async with bench.sessions.begin() as session:
        for number in (1000, 70, 1, 999, 2):
            session.enqueue(note.options(priority=number), number)
        session.enqueue(note, 50)
    await bench.run_once(concurrency=1)
    assert seen == [1, 2, 50, 70, 999, 1000]


async def test_an_urgent_job_overtakes_a_long_backlog(bench: Bench) -> None:
    seen: list[str] = []
    started = asyncio.Event()

    @bench.task()
    async def ordinary() -> None:
        seen.append("ordinary")
        started.set()
        await asyncio.sleep(0.01)

    @bench.task(priority=1)
    async def urgent() -> None:
        seen.append("urgent")

    async with bench.sessions.begin() as session:
        session.enqueue_many(ordinary, [{}] * 100)
    async with bench.worker(concurrency=2):
        await started.wait()
        handle = await bench.soniq.enqueue(urgent)
        await bench.until_state(handle, "done")
    assert seen.index("urgent") < 30


async def test_a_worker_with_queues_takes_no_others(bench: Bench) -> None:
    seen: list[str] = []

    @bench.task(queue="billing")
    async def note(name: str) -> None:
        seen.append(name)

    async with bench.sessions.begin() as session:
        other = session.enqueue(note.options(queue="reports"), "reports")
        session.enqueue(note, "billing")
        session.enqueue(note.options(queue="mail"), "mail")
    bench.soniq.job(name="of_mail", queue="mail")(note.handler)
    bench.soniq.job(name="of_reports", queue="reports")(note.handler)
    await bench.run_once(queues=["billing", "mail"])
    assert sorted(seen) == ["billing", "mail"]
    row = await bench.row(other)
    assert (row.state, row.claims) == ("queued", 0)


async def test_every_queue_gets_its_turn(bench: Bench) -> None:
    seen: list[str] = []

    @bench.task()
    async def note(name: str) -> None:
        seen.append(name)

    async with bench.sessions.begin() as session:
        for queue in ("a-first", "b-second", "c-third"):
            session.enqueue_many(note.options(queue=queue), [{"name": queue}] * 20)
    await bench.run_once(concurrency=2)
    assert len(seen) == 60
    assert len(set(seen[:20])) == 3


@pytest.mark.parametrize("patience", [LONG_POLL, 0.3])
async def test_a_queue_that_appears_later_is_served(bench: Bench, patience: float) -> None:
    """With a long poll interval the wake-up tells the queue; else the worker finds it."""

    @bench.task()
    async def note() -> None:
        pass

    async with bench.worker(poll_interval=patience):
        if patience == LONG_POLL:
            handle = await bench.soniq.enqueue(note.options(queue="brand-new"))
        else:
            handle = await insert_silently(bench, note.options(queue="brand-new"))
        await bench.until_state(handle, "done")


async def insert_silently(bench: Bench, task: Any) -> JobHandle[Any]:
    """Add a job without any wake-up, as a plain SQL client does."""
    options = task.defaults
    ((job_id,),) = await bench.rows(
        "INSERT INTO soniq_jobs (id, task, queue) VALUES (gen_random_uuid(), :task, :queue) "
        "RETURNING id",
        task=task.name,
        queue=options.queue,
    )
    return JobHandle(job_id, task.name)


async def test_a_job_without_a_wake_up_is_found_by_polling(bench: Bench) -> None:
    @bench.task()
    async def note() -> None:
        pass

    async with bench.worker(poll_interval=0.2):
        for _ in range(3):
            handle = await insert_silently(bench, note)
            await bench.until_state(handle, "done")


async def test_unknown_tasks_are_left_alone(bench: Bench) -> None:
    @bench.task()
    async def known() -> None:
        pass

    newer = Soniq(Base.metadata, engine=bench.engine)

    @newer.job(name="of.another.release")
    async def unknown() -> None:
        pass

    unknown_ones = [await newer.enqueue(unknown) for _ in range(150)]
    handle = await bench.soniq.enqueue(known)
    async with bench.worker(concurrency=2):
        await bench.until_state(handle, "done")
        rows = await bench.rows("SELECT state, claims FROM soniq_jobs WHERE task LIKE 'of.%'")
        assert set(rows) == {("queued", 0)}
    assert len(rows) == len(unknown_ones)


@pytest.mark.parametrize("way", ["delay", "run_at", "in a batch"])
async def test_a_delayed_job_starts_on_time_and_not_before(bench: Bench, way: str) -> None:
    starts: list[datetime] = []

    @bench.task()
    async def note() -> None:
        starts.append(datetime.now(UTC))

    async with bench.worker(poll_interval=LONG_POLL):
        due = datetime.now(UTC) + timedelta(seconds=0.7)
        if way == "delay":
            handle = await bench.soniq.enqueue(note.options(delay=0.7))
        elif way == "run_at":
            handle = await bench.soniq.enqueue(note.options(run_at=due))
        else:
            async with bench.sessions.begin() as session:
                (handle,) = session.enqueue_many(note.options(delay=0.7), [{}])
        row = await bench.until_state(handle, "done")
    assert row.claimed_at >= row.run_at
    assert starts[0] >= due


async def test_a_delayed_job_is_told_of_by_a_worker_that_does_not_serve_its_queue(
    bench: Bench,
) -> None:
    """Both workers queue what is due; either may come first."""

    @bench.task(queue="served")
    async def note() -> None:
        pass

    async with bench.worker(queues="served"), bench.worker(queues="another"):
        for _ in range(12):
            handle = await bench.soniq.enqueue(note.options(delay=0.1))
            await bench.until_state(handle, "done")


async def test_many_delayed_jobs_start_in_the_order_of_their_times(bench: Bench) -> None:
    seen: list[int] = []

    @bench.task()
    async def note(number: int) -> None:
        seen.append(number)

    async with bench.sessions.begin() as session:
        handles = [
            session.enqueue(note.options(delay=0.2 + number / 20), number)
            for number in (5, 3, 1, 4, 2, 0)
        ]
    async with bench.worker(poll_interval=LONG_POLL):
        for handle in handles:
            await bench.until_state(handle, "done")
    assert seen == [0, 1, 2, 3, 4, 5]


async def test_a_job_that_is_due_in_the_past_runs_at_once(bench: Bench) -> None:
    @bench.task()
    async def note() -> None:
        pass

    async with bench.worker(poll_interval=LONG_POLL):
        earlier = datetime.now(UTC) - timedelta(days=1)
        handle = await bench.soniq.enqueue(note.options(run_at=earlier))
        await bench.until_state(handle, "done")


async def test_a_new_job_wakes_an_idle_worker_through_another_connection(bench: Bench) -> None:
    @bench.task()
    async def note() -> None:
        pass

    producer = Bench(bench.url)
    async with bench.worker(poll_interval=LONG_POLL):
        for _ in range(20):
            async with producer.sessions.begin() as session:
                handle = session.enqueue(note)
            await bench.until_state(handle, "done")
    await producer.engine.dispose()


@pytest.mark.parametrize(
    ("seconds", "least", "most"), [(0.0, 6, 10), (0.3, 1, 5)], ids=["quick", "slow"]
)
async def test_only_quick_jobs_are_claimed_ahead_and_never_many(
    bench: Bench, seconds: float, least: int, most: int
) -> None:
    """With 5 slots there are 5 that run, and 5 that wait or whose ends are not on their way."""
    unfinished: list[int] = []
    over = 0
    count = "SELECT count(*) FROM soniq_jobs WHERE claims > 0"
    with psycopg.connect(libpq_url(bench.url), autocommit=True) as watcher:

        @bench.task()
        async def look() -> None:
            nonlocal over
            row = watcher.execute(count).fetchone()
            assert row is not None
            unfinished.append(row[0] - over)
            await asyncio.sleep(seconds)
            over += 1

        async with bench.sessions.begin() as session:
            session.enqueue_many(look, [{}] * (20 if seconds else 300))
        await bench.run_once(concurrency=5)
    assert over == len(unfinished)
    assert least <= max(unfinished) <= most


async def test_two_workers_share_the_work_and_run_nothing_twice(bench: Bench) -> None:
    seen: list[int] = []

    @bench.task()
    async def note(number: int) -> None:
        seen.append(number)
        await asyncio.sleep(0)

    async with bench.sessions.begin() as session:
        session.enqueue_many(note, [{"number": number} for number in range(1000)])
    async with bench.worker(concurrency=20), bench.worker(concurrency=20):
        await bench.until(lambda: len(seen) >= 1000, "all jobs")
    assert sorted(seen) == list(range(1000))


async def test_two_applications_in_one_process_share_nothing(bench: Bench) -> None:
    seen: list[str] = []
    other = Bench(bench.url)

    @bench.task()
    async def mine() -> None:
        seen.append("mine")

    @other.task()
    async def theirs() -> None:
        seen.append("theirs")

    first, second = await bench.soniq.enqueue(mine), await other.soniq.enqueue(theirs)
    async with bench.worker():
        await bench.until_state(first, "done")
        assert (await bench.row(second)).claims == 0
    assert seen == ["mine"]
    assert other.seen == []
    async with other.worker():
        await bench.until_state(second, "done")
    assert seen == ["mine", "theirs"]
    await other.engine.dispose()
