"""What a task says about its retries decides when and whether a failed attempt is repeated."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import JobContext, JobTimeoutError, inject
from tests.runtime.bench import Bench
from tests.runtime.models import Effect, Receipt


class RateLimitedError(ConnectionError):
    """An error that says when to come back."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"come back in {retry_after} s")
        self.retry_after = retry_after


def failing(bench: Bench, error: BaseException, **options: Any) -> Any:
    """Register a task that raises ``error``."""

    @bench.task(**options)
    async def fail() -> None:
        raise error

    return fail


async def delays(bench: Bench, count: int, **options: Any) -> list[float]:
    """Let a job fail so often, and return the seconds it had to wait each time."""
    handle = await bench.soniq.enqueue(failing(bench, ValueError("no"), retries=99, **options))
    waits: list[float] = []
    async with bench.worker():
        for number in range(1, count + 1):

            async def failed(number: int = number) -> bool:
                row = await bench.row(handle)
                return row.attempts == number and row.state in {"scheduled", "queued"}

            await bench.until(failed, f"attempt {number}")
            row, last = await bench.row(handle), (await bench.attempts(handle))[-1]
            waits.append((row.run_at - last.finished_at).total_seconds())
            await bench.soniq.retry_now(handle)
    return waits


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"retry_delay": 50}, [50, 50, 50]),
        ({"retry_delay": [10, 20]}, [10, 20, 20]),
        ({"retry_delay": 10, "retry_backoff": 3, "retry_max_delay": 60}, [10, 30, 60]),
    ],
    ids=str,
)
async def test_each_attempt_waits_as_long_as_the_task_says(
    bench: Bench, options: dict[str, Any], expected: list[float]
) -> None:
    waits = await delays(bench, 3, **options)
    assert waits == pytest.approx(expected, abs=0.5), "both times are of one statement"


async def test_jobs_that_fail_together_do_not_come_back_together(bench: Bench) -> None:
    task = failing(bench, ValueError("no"), retry_delay=1000, retry_jitter=0.5)
    async with bench.sessions.begin() as session:
        handles = session.enqueue_many(task, [{}] * 50)
    async with bench.worker():
        rows = [await bench.until_state(handle, "scheduled") for handle in handles]
    waits = [(row.run_at - row.claimed_at).total_seconds() for row in rows]
    assert 499 < min(waits) < max(waits) < 1030
    assert max(waits) - min(waits) > 100


@pytest.mark.parametrize(
    ("options", "error", "state"),
    [
        ({"retry_on": ConnectionError}, RateLimitedError(1), "scheduled"),
        ({"retry_on": (KeyError, ConnectionError)}, ValueError("no"), "dead"),
        ({"give_up_on": ConnectionError}, RateLimitedError(1), "dead"),
        ({"give_up_on": (KeyError, ConnectionError)}, ValueError("no"), "scheduled"),
        ({"give_up_on": LookupError}, KeyError("no"), "dead"),
        ({"retry_on": Exception}, KeyboardInterrupt("no"), "dead"),
        ({"retry_on": OSError, "give_up_on": ConnectionError}, RateLimitedError(1), "dead"),
    ],
    ids=str,
)
async def test_an_error_is_worth_another_attempt_or_not(
    bench: Bench, options: dict[str, Any], error: BaseException, state: str
) -> None:
    task = failing(bench, error, retry_delay=60, **options)
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, state)
    assert (row.reason, row.attempts) == ("gave up" if state == "dead" else None, 1)
    (attempt,) = await bench.attempts(handle)
    assert attempt.outcome == "failed"
    first, place, *_ = attempt.error.splitlines()
    assert first.startswith("Traceback")
    assert __file__ in place, "the first frame is the user's"
    assert "raise error" in attempt.error
    assert type(error).__name__ in attempt.error


async def test_giving_up_in_the_last_attempt_is_giving_up(bench: Bench) -> None:
    task = failing(bench, KeyError("no"), retries=0, give_up_on=KeyError)
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert (row.reason, row.attempts) == ("gave up", 1)


@pytest.mark.parametrize("kind", ["async", "sync"])
@pytest.mark.parametrize(
    ("options", "state", "reason"),
    [
        ({"give_up_on": JobTimeoutError}, "dead", "gave up"),
        ({"give_up_on": TimeoutError}, "dead", "gave up"),
        ({"retry_on": JobTimeoutError}, "scheduled", None),
        ({"retry_on": OSError, "give_up_on": JobTimeoutError}, "dead", "gave up"),
        ({"retries": 0}, "dead", "timed out"),
    ],
    ids=str,
)
async def test_our_timeout_is_an_error_like_others(
    bench: Bench, kind: str, options: dict[str, Any], state: str, reason: str | None
) -> None:
    leave = threading.Event()
    given = {"timeout": 0.1, "retry_delay": 60, **options}
    if kind == "async":

        @bench.task(**given)
        async def slow() -> None:
            await asyncio.sleep(60)
    else:

        @bench.task(**given)
        def slow() -> None:
            leave.wait(20)

    handle = await bench.soniq.enqueue(slow)
    try:
        async with bench.worker():
            row = await bench.until_state(handle, state)
    finally:
        leave.set()
    assert (row.reason, row.attempts) == (reason, 1)
    assert "0.1 s" in row.error
    assert [one.outcome for one in await bench.attempts(handle)] == ["timed out"]


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_timeout_of_the_user_is_not_ours(bench: Bench, kind: str) -> None:
    async def wait_async() -> None:
        raise TimeoutError("the mail server did not answer")

    def wait_sync() -> None:
        raise TimeoutError("the mail server did not answer")

    options: dict[str, Any] = {"name": "own", "give_up_on": JobTimeoutError, "retry_delay": 60}
    own = bench.task(**options)(wait_async if kind == "async" else wait_sync)
    handle = await bench.soniq.enqueue(own)
    async with bench.worker():
        row = await bench.until_state(handle, "scheduled")
    assert (row.reason, row.attempts) == (None, 1)
    assert [one.outcome for one in await bench.attempts(handle)] == ["failed"]


@pytest.mark.parametrize(
    ("task_timeout", "job_timeout", "setting", "state"),
    [
        (None, None, 0.1, "dead"),
        (None, None, 0, "done"),
        (0, None, 0.1, "done"),
        (0.1, None, 0, "dead"),
        (0.1, 0, 0.1, "done"),
        (0, 0.1, 0, "dead"),
        (60, 0.1, 60, "dead"),
        (0.1, 60, 0.1, "done"),
    ],
)
async def test_the_timeout_of_the_job_beats_that_of_the_task_and_both_the_setting(
    bench: Bench, task_timeout: Any, job_timeout: Any, setting: float, state: str
) -> None:
    @bench.task(retries=0, timeout=task_timeout)
    async def slow() -> None:
        await asyncio.sleep(0.5)

    task = slow if job_timeout is None else slow.options(timeout=job_timeout)
    async with bench.sessions.begin() as session:
        handles = [session.enqueue(task), *session.enqueue_many(task, [{}])]
    async with bench.worker(job_timeout=setting):
        for handle in handles:
            row = await bench.until_state(handle, state)
            assert row.reason == ("timed out" if state == "dead" else None)


async def test_the_retries_of_the_job_beat_those_of_the_task(bench: Bench) -> None:
    task = failing(bench, ValueError("no"), retries=5, retry_delay=0)
    first = await bench.soniq.enqueue(task.options(retries=0))
    second = await bench.soniq.enqueue(task.options(retries=1))
    async with bench.worker():
        rows = [await bench.until_state(handle, "dead") for handle in (first, second)]
    assert [row.attempts for row in rows] == [1, 2]


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_policy_sees_the_very_error_and_the_number_of_the_attempt(
    bench: Bench, kind: str
) -> None:
    raised: list[BaseException] = []
    seen: list[tuple[BaseException, int]] = []

    def policy(error: BaseException, attempt: int) -> float | None:
        seen.append((error, attempt))
        return error.retry_after if isinstance(error, RateLimitedError) else None

    def fail() -> None:
        raised.append(RateLimitedError(0) if len(raised) < 2 else KeyError("no"))
        raise raised[-1]

    async def fail_async() -> None:
        fail()

    task = bench.task(name="fail", retries=9, retry_policy=policy)(
        fail_async if kind == "async" else fail
    )
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert (row.reason, row.attempts) == ("gave up", 3)
    assert [attempt for _, attempt in seen] == [1, 2, 3]
    assert all(error is one for (error, _), one in zip(seen, raised, strict=True))
    assert len(await bench.attempts(handle)) == 3


async def test_the_wait_that_a_policy_says_is_kept(bench: Bench) -> None:
    task = failing(bench, RateLimitedError(90), retry_policy=lambda error, _: error.retry_after)
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "scheduled")
    assert 89 < (row.run_at - row.claimed_at).total_seconds() < 120


async def test_a_policy_grants_no_more_attempts_than_there_are(bench: Bench) -> None:
    task = failing(bench, ValueError("no"), retries=1, retry_policy=lambda _error, _attempt: 0)
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert (row.reason, row.attempts) == ("retries exhausted", 2)


async def test_a_policy_sees_what_the_commit_of_a_session_raised(bench: Bench) -> None:
    seen: list[BaseException] = []

    def policy(error: BaseException, _: int) -> None:
        seen.append(error)

    @bench.task(retry_policy=policy)
    async def number_twice(session: AsyncSession = inject()) -> None:
        session.add_all([Receipt(number=1), Effect(note="half")])

    await bench.add(Receipt(number=1))
    handle = await bench.soniq.enqueue(number_twice)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert row.reason == "gave up"
    assert [type(error) for error in seen] == [IntegrityError]
    assert await bench.effects() == []


async def test_a_policy_sees_our_timeout(bench: Bench) -> None:
    seen: list[BaseException] = []

    def policy(error: BaseException, _: int) -> None:
        seen.append(error)

    @bench.task(timeout=0.1, retry_policy=policy)
    async def slow() -> None:
        await asyncio.sleep(60)

    handle = await bench.soniq.enqueue(slow)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert (row.reason, [type(error) for error in seen]) == ("gave up", [JobTimeoutError])
    assert isinstance(seen[0], TimeoutError)


class UnprintableError(Exception):
    """An error that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def broken_policies() -> dict[str, Any]:
    """Return policies that do not answer, by name."""

    def raising(error: BaseException) -> Any:
        def policy(*_: object) -> float:
            raise error

        return policy

    def answering(answer: Any) -> Any:
        return lambda _error, _attempt: answer

    return {
        "KeyError": raising(KeyError("the policy's own")),
        "unprintable": raising(UnprintableError()),
        "CancelledError": raising(asyncio.CancelledError()),
        "SystemExit": raising(SystemExit(3)),
        "KeyboardInterrupt": raising(KeyboardInterrupt()),
        "5 MB": raising(ValueError("x" * 5_000_000)),
        "negative": answering(-1),
        "NaN": answering(float("nan")),
        "infinity": answering(float("inf")),
        "text": answering("soon"),
        "True": answering(True),  # noqa: FBT003 - the point
        "too long": answering(1e12),
    }


@pytest.mark.parametrize("kind", ["async", "sync with a session"])
@pytest.mark.parametrize("name", broken_policies())
async def test_a_broken_policy_means_the_default_delay_and_is_told(
    bench: Bench, kind: str, name: str
) -> None:
    options = {"name": "fail", "retry_policy": broken_policies()[name], "retry_delay": 500}

    async def fail_async() -> None:
        raise ValueError("the job's own")

    def fail_in_session(session: Session = inject()) -> None:
        session.add(Effect(note="half"))
        raise ValueError("the job's own")

    @bench.task()
    async def neighbour() -> None:
        pass

    task = bench.task(**options)(fail_async if kind == "async" else fail_in_session)
    handle, other = await bench.soniq.enqueue(task), await bench.soniq.enqueue(neighbour)
    async with bench.worker(concurrency=1):
        row = await bench.until_state(handle, "scheduled")
        await bench.until_state(other, "done")
    assert (row.attempts, row.reason) == (1, None)
    assert 4.9 < (row.run_at - row.claimed_at).total_seconds() < 30
    assert "retry policy failed" in row.error
    assert len(row.error) < 20_000
    if name != "5 MB":
        assert "ValueError: the job's own" in row.error
    assert await bench.effects() == []


async def test_an_error_in_the_last_attempt_is_the_end_even_if_the_policy_is_broken(
    bench: Bench,
) -> None:
    task = failing(bench, ValueError("no"), retries=0, retry_policy=broken_policies()["KeyError"])
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert (row.reason, row.attempts) == ("retries exhausted", 1)
    assert "the policy's own" in row.error


async def test_every_failed_attempt_is_kept_with_its_traceback(bench: Bench) -> None:
    @bench.task(retries=2, retry_delay=0)
    def fail(ctx: JobContext = inject()) -> None:
        raise ValueError(f"attempt {ctx.attempt}")

    handle = await bench.soniq.enqueue(fail)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    attempts = await bench.attempts(handle)
    assert [one.claim for one in attempts] == [1, 2, 3]
    for number, one in enumerate(attempts, start=1):
        assert "Traceback (most recent call last)" in one.error
        assert 'in fail\n    raise ValueError(f"attempt {ctx.attempt}")' in one.error
        assert one.error.rstrip().endswith(f"ValueError: attempt {number}")
        assert (one.outcome, one.worker_id) == ("failed", row.worker_id)
        assert one.started_at <= one.finished_at
    assert row.error == attempts[-1].error


async def test_the_handler_reads_its_tags_and_headers_in_every_attempt(bench: Bench) -> None:
    seen: list[Any] = []

    @bench.task(retry_delay=0)
    async def read(ctx: JobContext = inject()) -> None:
        seen.append((ctx.attempt, ctx.max_attempts, ctx.tags, dict(ctx.headers)))
        if ctx.attempt == 1:
            raise ValueError("the first time")

    task = read.options(tags=["eu", "späť"], headers={"traceparent": "00-ab"}, retries=1)
    async with bench.sessions.begin() as session:
        handles = [session.enqueue(task), *session.enqueue_many(task, [{}])]
        plain = session.enqueue(read)
    async with bench.worker():
        for handle in [*handles, plain]:
            await bench.until_state(handle, "done")
    told = (2, ("eu", "späť"), {"traceparent": "00-ab"})
    expected = [(attempt, *told) for attempt in (1, 1, 2, 2)] + [(1, 4, (), {}), (2, 4, (), {})]
    assert sorted(seen, key=str) == sorted(expected, key=str)


async def test_the_logger_of_the_job_carries_its_fields(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    @bench.task()
    async def tell(ctx: JobContext = inject()) -> None:
        ctx.logger.warning("half way")

    handle = await bench.soniq.enqueue(tell)
    with caplog.at_level(logging.WARNING, logger="tell"):
        async with bench.worker():
            await bench.until_state(handle, "done")
    (record,) = [one for one in caplog.records if one.name == "tell"]
    fields = vars(record)
    assert [fields[name] for name in ("job_id", "task", "queue", "attempt")] == [
        str(handle.id),
        "tell",
        "default",
        1,
    ]
