"""What a handler asks for its own job: another time, another attempt, or an end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import Cancel, Discard, JobContext, Retry, Snooze, Worker, inject
from soniq_sa.events import JobCancelled, JobFailed, JobsDone, JobSnoozed
from tests.runtime.bench import LONG_POLL, Bench
from tests.runtime.models import Effect

KINDS = ("async", "sync", "async with a session", "sync with a session")
KIND = pytest.mark.parametrize("kind", KINDS)
HOW = pytest.mark.parametrize("how", ["returned", "raised"])


def asking(bench: Bench, kind: str, how: str, answer: Callable[[int], Any], **options: Any) -> Any:
    """Register a task that leaves an effect, then returns or raises ``answer(attempt)``."""

    def end(ctx: JobContext) -> Any:
        ask = answer(ctx.attempt)
        if how == "raised" and isinstance(ask, Exception):
            raise ask
        return ask

    match kind:
        case "async":

            @bench.task(**options)
            async def ask(ctx: JobContext = inject()) -> Any:
                return end(ctx)
        case "sync":

            @bench.task(**options)
            def ask(ctx: JobContext = inject()) -> Any:
                return end(ctx)
        case "async with a session":

            @bench.task(**options)
            async def ask(session: AsyncSession = inject(), ctx: JobContext = inject()) -> Any:
                session.add(Effect(note=f"attempt {ctx.attempt}"))
                return end(ctx)
        case _:

            @bench.task(**options)
            def ask(session: Session = inject(), ctx: JobContext = inject()) -> Any:
                session.add(Effect(note=f"attempt {ctx.attempt}"))
                return end(ctx)

    return ask


def kept(kind: str, how: str) -> list[str]:
    """Return the effects of the first attempt that are committed."""
    return ["attempt 1"] if "session" in kind and how == "returned" else []


@KIND
@HOW
async def test_snooze_puts_the_job_off_without_an_attempt_and_says_why(
    bench: Bench, kind: str, how: str
) -> None:
    task = asking(bench, kind, how, lambda _: Snooze(timedelta(minutes=1), "no report yet"))
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "scheduled")
        await bench.until(lambda: bool(bench.events_of(JobSnoozed)), "the event")
    assert (row.attempts, row.claims, row.reason, row.error) == (0, 1, "no report yet", None)
    assert (row.worker_id, row.finished_at) == (None, None)
    assert 59 < (row.run_at - row.claimed_at).total_seconds() < 90
    assert await bench.effects() == kept(kind, how)
    assert await bench.attempts(handle) == []
    (event,) = bench.events_of(JobSnoozed)
    assert (event.job_id, event.delay, event.reason) == (handle.id, 60, "no report yet")
    assert bench.events_of(JobFailed) == []


@KIND
@HOW
async def test_retry_consumes_an_attempt_and_waits_for_its_delay(
    bench: Bench, kind: str, how: str
) -> None:
    task = asking(bench, kind, how, lambda _: Retry(60, "the partner is closed"))
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "scheduled")
    assert (row.attempts, row.reason, row.error) == (1, None, "the partner is closed")
    assert 59 < (row.run_at - row.claimed_at).total_seconds() < 90
    assert await bench.effects() == kept(kind, how)
    (attempt,) = await bench.attempts(handle)
    assert (attempt.outcome, attempt.error) == ("retried", "the partner is closed")


@KIND
@HOW
async def test_retry_without_a_delay_takes_that_of_the_task(
    bench: Bench, kind: str, how: str
) -> None:
    task = asking(bench, kind, how, lambda _: Retry(), retry_delay=[120, 5])
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "scheduled")
    assert 119 < (row.run_at - row.claimed_at).total_seconds() < 150
    assert row.error == "The handler asked for another attempt."


@KIND
@HOW
async def test_retry_in_the_last_attempt_is_the_end(bench: Bench, kind: str, how: str) -> None:
    task = asking(bench, kind, how, lambda attempt: Retry(0, f"try {attempt}"), retries=2)
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert (row.reason, row.attempts, row.error) == ("retries exhausted", 3, "try 3")
    assert row.finished_at is not None
    found = [(one.outcome, one.error) for one in await bench.attempts(handle)]
    assert found == [("retried", f"try {number}") for number in (1, 2, 3)]
    expected = [f"attempt {number}" for number in (1, 2, 3)]
    assert await bench.effects() == (expected if kept(kind, how) else [])


@KIND
@HOW
async def test_cancel_ends_the_job_as_cancelled(bench: Bench, kind: str, how: str) -> None:
    task = asking(bench, kind, how, lambda _: Cancel("the order is gone"))
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "cancelled")
        await bench.until(lambda: bool(bench.events_of(JobCancelled)), "the event")
    assert (row.reason, row.attempts, row.error) == ("the order is gone", 1, None)
    assert row.finished_at is not None
    assert await bench.effects() == kept(kind, how)
    (attempt,) = await bench.attempts(handle)
    assert attempt.outcome == "cancelled"
    assert bench.events_of(JobFailed) == []


@KIND
@HOW
async def test_discard_ends_the_job_as_a_dead_letter(bench: Bench, kind: str, how: str) -> None:
    task = asking(bench, kind, how, lambda _: Discard("no such account"))
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert (row.reason, row.attempts, row.error) == ("discarded", 1, "no such account")
    assert await bench.effects() == kept(kind, how)
    (attempt,) = await bench.attempts(handle)
    assert (attempt.outcome, attempt.error) == ("discarded", "no such account")


@pytest.mark.parametrize(
    ("ask", "state", "reason", "error"),
    [
        (Snooze(60), "scheduled", None, None),
        (Cancel(), "cancelled", None, None),
        (Discard(), "dead", "discarded", "The handler discarded the job."),
    ],
    ids=repr,
)
async def test_an_ask_needs_no_reason(
    bench: Bench, ask: Any, state: str, reason: str | None, error: str | None
) -> None:
    handle = await bench.soniq.enqueue(asking(bench, "async", "returned", lambda _: ask))
    async with bench.worker():
        row = await bench.until_state(handle, state)
    assert (row.reason, row.error) == (reason, error)


@pytest.mark.parametrize("kind", ["async", "sync with a session"])
async def test_a_job_may_snooze_more_often_than_it_may_fail(bench: Bench, kind: str) -> None:
    runs: list[int] = []

    def answer(attempt: int) -> Snooze | None:
        runs.append(attempt)
        return Snooze(0, "again") if len(runs) <= 20 else None

    handle = await bench.soniq.enqueue(asking(bench, kind, "returned", answer, retries=0))
    async with bench.worker():
        row = await bench.until_state(handle, "done")
    assert (row.attempts, row.claims, row.reason, row.error) == (1, 21, None, None)
    assert runs == [1] * 21
    assert await bench.attempts(handle) == []


@pytest.mark.parametrize("ask", [Snooze(1), Retry(1)], ids=repr)
async def test_the_job_runs_again_on_time_whatever_the_poll_interval(
    bench: Bench, ask: Exception
) -> None:
    starts: list[float] = []

    def answer(_: int) -> Any:
        starts.append(time.monotonic())
        return ask if len(starts) == 1 else None

    handle = await bench.soniq.enqueue(asking(bench, "async", "returned", answer))
    async with bench.worker(poll_interval=LONG_POLL):
        await bench.until_state(handle, "done")
    assert starts[1] - starts[0] >= 1.0


@pytest.mark.parametrize("kind", ["async", "async with a session"])
@pytest.mark.parametrize("ask", [Snooze(1), Retry(1), Snooze(0), Retry(0)], ids=repr)
async def test_a_job_put_back_by_a_worker_that_leaves_is_run_by_another_on_time(
    bench: Bench, kind: str, ask: Exception
) -> None:
    starts: list[float] = []
    leave = asyncio.Event()

    async def run() -> Any:
        starts.append(time.monotonic())
        if len(starts) > 1:
            return None
        await leave.wait()
        return ask

    async def run_in_session(session: AsyncSession = inject()) -> Any:
        session.add(Effect(note="run"))
        return await run()

    task = bench.task(name="ask")(run if kind == "async" else run_in_session)
    handle = await bench.soniq.enqueue(task)
    leaving = Worker(bench.soniq, poll_interval=LONG_POLL)
    first = asyncio.create_task(leaving.run())
    await bench.until(lambda: bool(starts), "the handler to begin")
    async with bench.worker(poll_interval=LONG_POLL):
        leaving.stop()
        leave.set()
        await bench.until_state(handle, "done")
        await first
    assert len(starts) == 2


async def test_the_reason_of_a_snooze_is_gone_when_the_job_ends(bench: Bench) -> None:
    runs: list[int] = []

    def answer(attempt: int) -> Any:
        runs.append(attempt)
        return Snooze(0, "wait") if len(runs) == 1 else None

    handle = await bench.soniq.enqueue(asking(bench, "async", "returned", answer))
    async with bench.worker():
        row = await bench.until_state(handle, "done")
    assert row.reason is None


async def test_a_snooze_keeps_the_error_of_an_earlier_attempt(bench: Bench) -> None:
    runs: list[int] = []

    def answer(attempt: int) -> Any:
        runs.append(attempt)
        if len(runs) == 1:
            raise ValueError("the first time")
        return Snooze(60, "wait")

    task = asking(bench, "async", "returned", answer, retry_delay=0)
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "scheduled")
    assert (row.attempts, row.reason) == (1, "wait")
    assert "the first time" in row.error


@HOW
@pytest.mark.parametrize(
    "options", [{"retry_on": ConnectionError}, {"give_up_on": Exception}], ids=str
)
async def test_retry_is_no_error_that_is_given_up_on(
    bench: Bench, how: str, options: dict[str, Any]
) -> None:
    task = asking(bench, "async", how, lambda _: Retry(), retry_delay=60, **options)
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        await bench.until(lambda: bool(bench.events_of(JobFailed)), "the attempt to end")
        row = await bench.until_state(handle, "scheduled")
    assert 59 < (row.run_at - row.claimed_at).total_seconds() < 90


async def test_retry_with_a_policy_asks_the_policy_with_the_retry_itself(bench: Bench) -> None:
    seen: list[tuple[BaseException, int]] = []

    def policy(error: BaseException, attempt: int) -> float:
        seen.append((error, attempt))
        return 90

    ask = Retry(reason="later")
    task = asking(bench, "async", "raised", lambda _: ask, retry_policy=policy)
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "scheduled")
    assert 89 < (row.run_at - row.claimed_at).total_seconds() < 120
    assert seen == [(ask, 1)]


@pytest.mark.parametrize("make", [Snooze, Retry], ids=lambda make: make.__name__)
@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "soon", True, 1e12])
async def test_a_time_that_cannot_be_is_an_ordinary_failure_of_the_handler(
    bench: Bench, make: Any, seconds: Any
) -> None:
    task = asking(bench, "async", "returned", lambda _: make(seconds), retries=0)
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert row.reason == "retries exhausted"
    assert make.__name__ in row.error
    assert "OptionError" in row.error


HOSTILE = {"5 MB": "x" * 5_000_000, "U+0000": "a\0b", "surrogate": "a\ud800b", "empty": ""}


@pytest.mark.parametrize("reason", HOSTILE)
@pytest.mark.parametrize("make", [Snooze, Retry, Cancel, Discard], ids=lambda make: make.__name__)
@pytest.mark.parametrize("kind", ["async", "async with a session"])
async def test_a_hostile_reason_is_stored_as_text(
    bench: Bench, kind: str, make: Any, reason: str
) -> None:
    text = HOSTILE[reason]
    ask = make(60, text) if make in {Snooze, Retry} else make(text)

    @bench.task()
    async def neighbour() -> None:
        pass

    handle = await bench.soniq.enqueue(asking(bench, kind, "returned", lambda _: ask))
    other = await bench.soniq.enqueue(neighbour)
    state = {Cancel: "cancelled", Discard: "dead"}.get(make, "scheduled")
    async with bench.worker(concurrency=1):
        row = await bench.until_state(handle, state)
        await bench.until_state(other, "done")
    stored = row.reason if make in {Snooze, Cancel} else row.error
    assert len(stored or "") < 20_000
    if reason == "U+0000":
        assert stored == r"a\x00b"
    if reason == "surrogate":
        assert stored == r"a\ud800b"


class Bare(Snooze):
    """A snooze that is not told its time."""

    def __init__(self) -> None:
        pass


NO_TEXT = {"number": 7, "object": object()}


@KIND
@HOW
@pytest.mark.parametrize("reason", NO_TEXT)
async def test_a_reason_that_is_no_text_is_a_failure_and_takes_no_slot_along(
    bench: Bench, kind: str, how: str, reason: str
) -> None:
    def answer(_: int) -> Any:
        return Snooze(60, NO_TEXT[reason])

    await fails_alone(bench, asking(bench, kind, how, answer, retries=0))


@HOW
async def test_an_ask_without_its_values_is_a_failure_and_takes_no_slot_along(
    bench: Bench, how: str
) -> None:
    await fails_alone(bench, asking(bench, "async", how, lambda _: Bare(), retries=0))


async def fails_alone(bench: Bench, task: Any) -> None:
    """Show that a job of ``task`` does not stay where it is, and that the next one runs."""

    @bench.task()
    async def neighbour() -> None:
        pass

    handle = await bench.soniq.enqueue(task)
    other = await bench.soniq.enqueue(neighbour)
    async with bench.worker(concurrency=1):
        await bench.until_state(other, "done")
        await bench.until_state(handle, "dead")


@pytest.mark.parametrize("kind", ["async", "async with a session", "sync with a session"])
@pytest.mark.parametrize(
    "ask", [Snooze(60), Retry(60), Cancel("no"), Discard("no")], ids=lambda ask: type(ask).__name__
)
async def test_an_ask_of_a_worker_that_lost_the_job_changes_nothing(
    bench: Bench, kind: str, ask: Any
) -> None:
    began, leave = threading.Event(), threading.Event()

    def answer(_: int) -> Any:
        return ask

    async def hold() -> None:
        began.set()
        await bench.until(leave.is_set, "the test to go on")

    @bench.task()
    async def next_one() -> None:
        pass

    task = holding(bench, kind, hold, (began, leave), answer)
    handle = await bench.soniq.enqueue(task)
    async with bench.worker(concurrency=1):
        await bench.until(began.is_set, "the handler to begin")
        await bench.take_away()
        before = await bench.row(handle)
        leave.set()
        await bench.until_state(await bench.soniq.enqueue(next_one), "done")
        assert await bench.row(handle) == before
    assert await bench.effects() == []
    assert await bench.attempts(handle) == []
    ended = (JobSnoozed, JobFailed, JobCancelled)
    assert [event for kind in ended for event in bench.events_of(kind)] == []


def holding(
    bench: Bench,
    kind: str,
    hold: Callable[[], Any],
    events: tuple[threading.Event, threading.Event],
    answer: Callable[[int], Any],
) -> Any:
    """Register a task that waits in its middle."""
    began, leave = events
    if kind == "async":

        @bench.task()
        async def held() -> Any:
            await hold()
            return answer(1)
    elif kind == "async with a session":

        @bench.task()
        async def held(session: AsyncSession = inject()) -> Any:
            session.add(Effect(note="held"))
            await hold()
            return answer(1)
    else:

        @bench.task()
        def held(session: Session = inject()) -> Any:
            session.add(Effect(note="held"))
            began.set()
            leave.wait(20)
            return answer(1)

    return held


REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.task = 'ask' AND NEW.state = '{state}' THEN
        RAISE EXCEPTION 'the books are closed' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
TRIGGER = "CREATE TRIGGER refuse BEFORE UPDATE ON soniq_jobs FOR EACH ROW EXECUTE FUNCTION refuse()"


@pytest.mark.parametrize(
    ("ask", "state"),
    [
        (Snooze(60), "scheduled"),
        (Retry(60), "scheduled"),
        (Cancel(), "cancelled"),
        (Discard(), "dead"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
async def test_an_ask_that_the_database_refuses_holds_up_nobody_else(
    bench: Bench, ask: Any, state: str
) -> None:
    await bench.rows(REFUSE.format(state=state))
    await bench.rows(TRIGGER)
    together = asyncio.Barrier(2)

    @bench.task(name="ask")
    async def asks() -> Any:
        await together.wait()
        return ask

    @bench.task()
    async def neighbour() -> None:
        await together.wait()

    @bench.task()
    async def later() -> None:
        pass

    await bench.soniq.enqueue(asks)
    handle = await bench.soniq.enqueue(neighbour)
    async with bench.worker(concurrency=2):
        await bench.until_state(handle, "done")
        await bench.until_state(await bench.soniq.enqueue(later), "done")


async def test_asks_and_results_of_one_batch_are_each_recorded(bench: Bench) -> None:
    answers: list[Any] = [
        None,
        7,
        Snooze(60, "wait"),
        Retry(60, "again"),
        Cancel("gone"),
        Discard("no"),
        ValueError("broken"),
    ] * 5
    together = asyncio.Barrier(len(answers))

    @bench.task()
    async def ask(number: int) -> Any:
        await together.wait()
        if isinstance(answers[number], ValueError):
            raise answers[number]
        return answers[number]

    async with bench.sessions.begin() as session:
        handles = session.enqueue_many(ask, [{"number": n} for n in range(len(answers))])
    states = ["done", "done", "scheduled", "scheduled", "cancelled", "dead", "scheduled"] * 5
    async with bench.worker(concurrency=len(answers)):
        for handle, state in zip(handles, states, strict=True):
            await bench.until_state(handle, state)
    rows = [await bench.row(handle) for handle in handles]
    assert [row.attempts for row in rows] == [1, 1, 0, 1, 1, 1, 1] * 5
    assert [row.reason for row in rows] == [None, None, "wait", None, "gone", "discarded", None] * 5
    assert [row.result for row in rows] == [None, 7, None, None, None, None, None] * 5
    assert sum(len(event.job_ids) for event in bench.events_of(JobsDone)) == 10
