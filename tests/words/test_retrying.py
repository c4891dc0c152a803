"""After how many seconds a failed attempt is repeated, and after which errors."""

from __future__ import annotations

import math
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from soniq_sa import JobTimeoutError, OptionError, RetryPolicy
from soniq_sa.options import MAX_SECONDS
from soniq_sa.retrying import Retrying
from tests.words.app import make_soniq


class RateLimitedError(ConnectionError):
    """An error that says when to come back."""

    retry_after = 42.0


def retrying(**options: Any) -> Retrying:
    """Return what a task with these options says about its retries."""

    def send() -> None:
        pass

    return make_soniq().job(name="send", **options)(send).retrying


def delays(count: int, **options: Any) -> list[float | None]:
    """Return the delays after the first attempts."""
    said = retrying(**options)
    return [said.seconds_after(ValueError(), attempt) for attempt in range(1, count + 1)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [5, 5, 5, 5]),
        ({"retry_delay": 0}, [0, 0, 0, 0]),
        ({"retry_delay": 1.5}, [1.5, 1.5, 1.5, 1.5]),
        ({"retry_delay": timedelta(minutes=1)}, [60, 60, 60, 60]),
        ({"retry_delay": [1, timedelta(seconds=2), 30]}, [1, 2, 30, 30]),
        ({"retry_delay": (7,)}, [7, 7, 7, 7]),
        ({"retry_backoff": 2}, [5, 10, 20, 40]),
        ({"retry_delay": 10, "retry_backoff": 1.5}, [10, 15, 22.5, 33.75]),
        ({"retry_backoff": 2, "retry_max_delay": 12}, [5, 10, 12, 12]),
        ({"retry_delay": [1, 50], "retry_max_delay": timedelta(seconds=9)}, [1, 9, 9, 9]),
        ({"retry_delay": [1, 2], "retry_backoff": 10}, [1, 20, 200, 2000]),
        ({"retry_delay": 60, "retry_max_delay": 0}, [0, 0, 0, 0]),
        ({"retry_delay": 0, "retry_backoff": 2}, [0, 0, 0, 0]),
    ],
    ids=str,
)
def test_the_delays_of_a_task(options: dict[str, Any], expected: list[float]) -> None:
    assert delays(4, **options) == expected


@pytest.mark.parametrize("attempt", [400, 2_000, 1_000_000])
def test_a_delay_too_large_for_a_number_is_the_longest_there_is(attempt: int) -> None:
    assert retrying(retry_backoff=100).seconds_after(ValueError(), attempt) == MAX_SECONDS
    capped = retrying(retry_backoff=100, retry_max_delay=30)
    assert capped.seconds_after(ValueError(), attempt) == 30


@pytest.mark.parametrize("attempt", [155, 400, 1_000_000])
def test_no_delay_stays_none_however_often_it_grows(attempt: int) -> None:
    assert retrying(retry_delay=0, retry_backoff=100).seconds_after(ValueError(), attempt) == 0


@pytest.mark.parametrize(("jitter", "least"), [(0.25, 7.5), (1, 0)])
def test_jitter_draws_the_delay_from_its_whole_range(jitter: float, least: float) -> None:
    said = retrying(retry_delay=10, retry_jitter=jitter)
    drawn = [said.seconds_after(ValueError(), 1) or 0.0 for _ in range(2_000)]
    width = 10 - least
    assert least <= min(drawn) < least + 0.05 * width
    assert 10 - 0.05 * width < max(drawn) <= 10


def test_jitter_comes_after_the_cap() -> None:
    said = retrying(retry_delay=100, retry_max_delay=10, retry_jitter=0.5)
    drawn = {said.seconds_after(ValueError(), 1) or 0.0 for _ in range(200)}
    assert len(drawn) > 100
    assert 5 <= min(drawn) <= max(drawn) <= 10


@pytest.mark.parametrize(
    ("options", "again", "given_up"),
    [
        ({}, [ValueError(), KeyboardInterrupt(), JobTimeoutError()], []),
        ({"retry_on": OSError}, [OSError(), ConnectionError()], [ValueError(), Exception()]),
        (
            {"retry_on": (ConnectionError, KeyError)},
            [RateLimitedError(), KeyError()],
            [OSError(), LookupError()],
        ),
        ({"retry_on": ()}, [], [ValueError()]),
        ({"give_up_on": LookupError}, [ValueError()], [LookupError(), KeyError()]),
        (
            {"give_up_on": (KeyError, ValueError)},
            [LookupError()],
            [KeyError(), UnicodeDecodeError("utf-8", b"", 0, 1, "no")],
        ),
        (
            {"retry_on": OSError, "give_up_on": ConnectionError},
            [OSError(), FileNotFoundError()],
            [ConnectionError(), RateLimitedError(), ValueError()],
        ),
        (
            {"give_up_on": JobTimeoutError},
            [TimeoutError("the mail server's")],
            [JobTimeoutError()],
        ),
        ({"give_up_on": TimeoutError}, [OSError()], [JobTimeoutError(), TimeoutError()]),
        ({"retry_on": JobTimeoutError}, [JobTimeoutError()], [TimeoutError()]),
        ({"retry_on": ValueError}, [], [ExceptionGroup("two", [ValueError()])]),
    ],
    ids=str,
)
def test_the_errors_that_are_worth_another_attempt(
    options: dict[str, Any], again: list[BaseException], given_up: list[BaseException]
) -> None:
    said = retrying(**options)
    assert [said.seconds_after(error, 1) for error in again] == [5.0] * len(again)
    assert [said.seconds_after(error, 1) for error in given_up] == [None] * len(given_up)


def test_a_policy_sees_the_error_and_the_attempt_and_decides() -> None:
    seen: list[tuple[BaseException, int]] = []

    def patient(error: BaseException, attempt: int) -> float | None:
        seen.append((error, attempt))
        return error.retry_after if isinstance(error, RateLimitedError) else None

    said = retrying(retry_policy=patient, retry_delay=1, retry_backoff=2)
    errors = [RateLimitedError(), ValueError()]
    assert [said.seconds_after(error, 3) for error in errors] == [42, None]
    assert [(id(error), attempt) for error, attempt in seen] == [(id(e), 3) for e in errors]


class Steady:
    """A policy that is an object."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, error: BaseException, attempt: int, /) -> float | None:
        return self.seconds * attempt if error else None

    def after(self, error: BaseException, attempt: int) -> float | None:
        return self(error, attempt)


@pytest.mark.parametrize(
    "policy",
    [
        Steady(2),
        Steady(2).after,
        lambda _error, attempt: 2 * attempt,
        partial(Steady.after, Steady(2)),
    ],
    ids=["object", "method", "lambda", "partial"],
)
def test_whatever_is_called_with_the_error_and_the_attempt_is_a_policy(policy: RetryPolicy) -> None:
    assert isinstance(policy, RetryPolicy)
    assert retrying(retry_policy=policy).seconds_after(ValueError(), 3) == 6


def test_a_policy_may_answer_with_a_timedelta() -> None:
    said = retrying(retry_policy=lambda _error, _attempt: timedelta(minutes=1))
    assert said.seconds_after(ValueError(), 1) == 60


def test_a_policy_is_not_asked_about_errors_that_are_given_up_on() -> None:
    asked: list[BaseException] = []

    def policy(error: BaseException, _attempt: int) -> float:
        asked.append(error)
        return 1

    said = retrying(retry_policy=policy, give_up_on=KeyError, retry_on=LookupError)
    answers = [said.seconds_after(error, 1) for error in (KeyError(), ValueError(), IndexError())]
    assert answers == [None, None, 1]
    assert [type(error) for error in asked] == [IndexError]


@pytest.mark.parametrize("answer", [-1, math.nan, math.inf, "soon", True, object(), 1e12])
def test_an_answer_of_a_policy_that_is_no_time_is_refused(answer: Any) -> None:
    with pytest.raises(OptionError, match="RetryPolicy"):
        retrying(retry_policy=lambda _error, _attempt: answer).seconds_after(ValueError(), 1)


@pytest.mark.parametrize(
    "options",
    [
        {"retry_delay": []},
        {"retry_delay": [1, -1]},
        {"retry_delay": [1, None]},
        {"retry_delay": [[1]]},
        {"retry_delay": "5"},
        {"retry_delay": b"5"},
        {"retry_delay": None},
        {"retry_delay": True},
        {"retry_delay": math.nan},
        {"retry_delay": 1e12},
        {"retry_delay": timedelta(days=-1)},
        {"retry_backoff": 0.5},
        {"retry_backoff": 0},
        {"retry_backoff": 101},
        {"retry_backoff": math.nan},
        {"retry_backoff": True},
        {"retry_backoff": "2"},
        {"retry_backoff": None},
        {"retry_max_delay": -1},
        {"retry_max_delay": math.inf},
        {"retry_max_delay": "1 h"},
        {"retry_jitter": -0.1},
        {"retry_jitter": 1.1},
        {"retry_jitter": math.nan},
        {"retry_jitter": True},
        {"retry_on": ValueError()},
        {"retry_on": "ValueError"},
        {"retry_on": [ValueError]},
        {"retry_on": (ValueError, int)},
        {"give_up_on": 7},
        {"give_up_on": (None,)},
        {"retry_policy": 7},
        {"retry_policy": "patient"},
    ],
    ids=str,
)
def test_a_retry_option_that_cannot_be_is_refused_with_its_name_and_value(
    options: dict[str, Any],
) -> None:
    with pytest.raises(OptionError) as error:
        retrying(**options)
    (name,) = options
    assert repr(name) in str(error.value)


async def patient_async(error: BaseException, attempt: int) -> float:
    return 1.0 if error and attempt else 2.0


def of_the_error_alone(error: BaseException) -> float:
    return 1.0 if error else 2.0


@pytest.mark.parametrize(
    "policy",
    [patient_async, Steady, of_the_error_alone],
    ids=["coroutine function", "class", "one parameter"],
)
def test_a_policy_that_cannot_answer_is_refused_when_it_is_given(policy: Any) -> None:
    with pytest.raises(OptionError, match="'retry_policy'"):
        retrying(retry_policy=policy)
