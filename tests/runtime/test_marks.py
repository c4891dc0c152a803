"""Claims begin behind the jobs that were claimed before, and miss nothing."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from soniq_sa import Retry
from soniq_sa.localserver.databases import libpq_url
from soniq_sa.runtime.jobs import HeldJob
from soniq_sa.runtime.marks import PLACE, Marks
from tests.runtime.bench import Bench

SLOW, FAST = 0.1, 0.001
NOW = datetime(2030, 1, 1, tzinfo=UTC)
ALWAYS_LATE = {"_SLOW": -1.0, "_GAIN": 0, "_SHORTEST": 0.1, "_SHARE": 0}
"""Every whole claim counts as slow, every trial succeeds, and a whole one comes ten times a second."""


@pytest.fixture(params=["in time", "late"])
def wholes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with whole claims after all news, and with whole claims that are put off."""
    if request.param == "late":
        for name, value in ALWAYS_LATE.items():
            monkeypatch.setattr(f"soniq_sa.runtime.marks.{name}", value)
    return str(request.param)


@pytest.mark.usefixtures("wholes")
@pytest.mark.parametrize("jobs", [1, 200])
async def test_the_jobs_of_a_transaction_that_began_earlier_come_first(
    bench: Bench, jobs: int
) -> None:
    """Their due times lie before the marks, and there is not room for all of them in one claim."""
    seen: list[str] = []

    @bench.task()
    async def note(name: str) -> None:
        seen.append(name)
        await asyncio.sleep(0.001)

    async with bench.sessions() as early:
        early.enqueue_many(note, [{"name": "early"}] * jobs)
        await early.flush()
        async with bench.sessions.begin() as session:
            session.enqueue_many(note, [{"name": "later"}] * 3_000)
        async with bench.worker(concurrency=5):
            await bench.until(lambda: len(seen) > 500, "five hundred jobs")
            await early.commit()
            await bench.until(lambda: seen.count("early") == jobs, "the early ones")
            assert len(seen) < 3_000
            await bench.until(lambda: len(seen) == 3_000 + jobs, "all of them")


@pytest.mark.usefixtures("wholes")
async def test_jobs_of_every_queue_and_priority_are_found_in_their_order(bench: Bench) -> None:
    seen: list[tuple[str, int]] = []
    priorities = (100, 7, 500, 1, 250)

    @bench.task()
    async def note(queue: str, priority: int) -> None:
        seen.append((queue, priority))

    async with bench.sessions.begin() as session:
        for queue in ("one", "two"):
            for priority in priorities:
                task = note.options(queue=queue, priority=priority)
                session.enqueue_many(task, [{"queue": queue, "priority": priority}] * 50)
    await bench.run_once(concurrency=4)
    assert len(seen) == 500
    assert len({queue for queue, _ in seen[:40]}) == 2
    for queue in ("one", "two"):
        ran = [priority for where, priority in seen if where == queue]
        assert ran == sorted(ran)


@pytest.mark.usefixtures("wholes")
async def test_a_job_that_returns_to_its_place_is_run_again(bench: Bench) -> None:
    runs: list[int] = []

    @bench.task()
    async def twice(number: int) -> Retry | None:
        runs.append(number)
        return Retry(delay=0) if runs.count(number) == 1 else None

    async with bench.worker(concurrency=3):
        async with bench.sessions.begin() as session:
            handles = session.enqueue_many(twice, [{"number": number} for number in range(200)])
        for handle in handles:
            await bench.until_state(handle, "done")
    assert sorted(runs) == sorted([*range(200), *range(200)])


async def test_jobs_that_another_worker_gave_back_are_found(bench: Bench) -> None:
    """They are where the marks have passed."""

    @bench.task()
    async def note() -> None:
        await asyncio.sleep(0.001)

    async with bench.sessions.begin() as session:
        handles = session.enqueue_many(note, [{}] * 2_000)
    with psycopg.connect(libpq_url(bench.url)) as other:
        other.execute("SELECT FROM soniq_jobs ORDER BY run_at, id LIMIT 20 FOR UPDATE")
        async with bench.worker(concurrency=5):
            await bench.until_state(handles[500], "done")
            assert (await bench.row(handles[0])).state == "queued"
            other.rollback()
            other.execute("SELECT pg_notify('soniq_sa:soniq_jobs', 'default')")
            other.commit()
            await bench.until_state(handles[0], "done")
            assert (await bench.row(handles[-1])).state == "queued"
            await bench.until_state(handles[-1], "done")


def job(number: int = 0, queue: str = "default", priority: int = 100) -> HeldJob:
    """Return a job that was claimed."""
    due = NOW + timedelta(seconds=number)
    return HeldJob(uuid4(), 0.0, UUID(int=number), "task", queue, priority, due, "{}", 0, 4, 1, due)


def marks_after(*wholes: float, at: float = 0.0) -> Marks:
    """Return marks after whole claims that took so many seconds, each of which found one job."""
    marks = Marks()
    for took in wholes:
        marks.begin_whole()
        marks.note_whole([job()], at, took, full=False)
    return marks


def test_the_first_claim_and_those_after_news_are_whole() -> None:
    assert not Marks().lead(0.0)
    marks = marks_after(FAST)
    assert marks.lead(0.0)
    marks.note_news()
    assert not marks.lead(0.0)


def test_places_cover_every_priority_of_every_queue_and_leave_out_what_lies_before_a_mark() -> None:
    marks = Marks()
    marks.note_whole([job(1), job(5), job(3, priority=7), job(2, priority=8)], 0.0, FAST, full=True)
    places = list(zip(*(marks.places(["mail", "default"])[name] for name in PLACE), strict=True))
    begin = (datetime.min.replace(tzinfo=UTC), UUID(int=0))
    assert places == [
        ("mail", -32768, *begin, 32767),
        ("default", -32768, *begin, 6),
        ("default", 7, NOW + timedelta(seconds=3), UUID(int=3), 7),
        ("default", 8, NOW + timedelta(seconds=2), UUID(int=2), 8),
        ("default", 9, *begin, 99),
        ("default", 100, NOW + timedelta(seconds=5), UUID(int=5), 100),
        ("default", 101, *begin, 32767),
    ]


def test_a_mark_does_not_go_back_after_a_claim_that_has_seen_everything() -> None:
    marks = marks_after(FAST)
    marks.note_whole([job(9)], 0.0, FAST, full=False)
    marks.note_whole([job(4)], 0.0, FAST, full=False)
    assert NOW + timedelta(seconds=9) in marks.places(["default"])["times"]


def test_after_a_whole_claim_without_room_for_more_only_its_own_places_have_marks() -> None:
    marks = Marks()
    marks.note_whole([job(9), job(9, queue="mail")], 0.0, FAST, full=False)
    marks.note_whole([job(4)], 0.0, FAST, full=True)
    times = marks.places(["default", "mail"])["times"]
    assert NOW + timedelta(seconds=4) in times
    assert NOW + timedelta(seconds=9) not in times


def test_with_many_priorities_every_claim_is_whole() -> None:
    marks = Marks()
    marks.note_whole([job(priority=number) for number in range(1, 500)], 0.0, FAST, full=True)
    assert not marks.lead(0.0)


def late(at: float = 0.0) -> Marks:
    """Return marks of a worker whose whole claims are slow, and whose others are not."""
    marks = marks_after(SLOW, SLOW, at=at)
    marks.note_news()
    assert marks.lead(at)
    marks.note_marked([job()], at, FAST)
    return marks


def test_while_whole_claims_are_slow_they_take_a_fiftieth_of_the_time() -> None:
    marks = late()
    marks.note_news()
    assert marks.lead(4.7)
    assert not marks.lead(5.0)
    assert marks.whole_due_at == pytest.approx(5.0, abs=0.1)


def test_a_whole_claim_whose_answer_waited_for_a_blocked_loop_puts_none_off_for_minutes() -> None:
    marks = marks_after(SLOW, 2.2)
    marks.note_news()
    marks.note_marked([job()], 0.0, FAST)
    marks.note_news()
    assert marks.whole_due_at <= 5.0


def test_without_news_no_whole_claim_is_owed() -> None:
    marks = late()
    marks.begin_whole()
    marks.note_whole([job()], 5.0, SLOW, full=False)
    assert marks.lead(5.0)
    assert marks.whole_due_at == float("inf")
    assert marks_after(FAST).whole_due_at == float("inf")


@pytest.mark.parametrize("took", [[FAST], [FAST, SLOW]], ids=["fast", "slow once"])
def test_after_a_fast_whole_claim_all_follow_news_at_once_again(took: Sequence[float]) -> None:
    marks = late()
    for one in took:
        marks.note_whole([job()], 5.0, one, full=False)
    marks.note_news()
    assert not marks.lead(5.0)


def test_a_machine_that_is_just_busy_is_no_reason_to_put_whole_claims_off() -> None:
    marks = marks_after(SLOW, SLOW)
    marks.note_marked([job()], 0.0, SLOW)
    marks.note_news()
    assert not marks.lead(0.0)
    marks.note_whole([job()], 1.0, SLOW, full=False)
    marks.note_whole([job()], 1.0, SLOW, full=False)
    marks.note_news()
    assert not marks.lead(1.0)  # no trial again so soon
    marks.note_whole([job()], 20.0, SLOW, full=False)
    marks.note_news()
    assert marks.lead(20.0)
