"""What can be said of a task and of a job is checked on the line where it is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from soniq_sa import OptionError, TaskDefinitionError, UnknownOptionError, UnknownQueueError
from tests.words.app import make_soniq, offer


def send(order_id: int) -> int:
    return order_id


LATER = datetime(2040, 1, 1, tzinfo=UTC)
TEN_YEARS = timedelta(days=3650)


@pytest.mark.parametrize(
    "options",
    [
        {"priority": 1},
        {"priority": 1000},
        {"delay": 0},
        {"delay": 0.001},
        {"delay": timedelta(hours=1)},
        {"delay": TEN_YEARS},
        {"run_at": LATER},
        {"run_at": 60},
        {"run_at": timedelta(minutes=1)},
        {"queue": "a"},
        {"queue": "A.b_c:d-9"},
        {"queue": "q" * 64},
    ],
    ids=str,
)
def test_an_option_within_its_bounds_is_taken(options: dict[str, Any]) -> None:
    task = make_soniq().job(send).options(**options)
    row = offer(task, 1).row
    assert row.priority == options.get("priority", 100)
    assert row.queue == options.get("queue", "default")


@pytest.mark.parametrize(
    "options",
    [
        {"priority": 0},
        {"priority": 1001},
        {"priority": 1.0},
        {"priority": True},
        {"priority": "1"},
        {"delay": -0.001},
        {"delay": float("nan")},
        {"delay": float("inf")},
        {"delay": TEN_YEARS + timedelta(seconds=1)},
        {"delay": True},
        {"delay": "60"},
        {"run_at": -1},
        {"run_at": "2040-01-01"},
        {"queue": ""},
        {"queue": "q" * 65},
        {"queue": "a b"},
        {"queue": "a,b"},
        {"queue": "a\n"},
        {"queue": 7},
        {"queue": None},
    ],
    ids=str,
)
def test_an_option_outside_its_bounds_is_named_with_its_value(options: dict[str, Any]) -> None:
    task = make_soniq().job(send)
    with pytest.raises(OptionError) as error:
        task.options(**options)
    ((name, value),) = options.items()
    assert name in str(error.value)
    assert repr(value) in str(error.value)
    assert isinstance(error.value, ValueError)


@pytest.mark.parametrize(
    "options",
    [
        {"retries": -1},
        {"retries": 1.5},
        {"retries": True},
        {"retry_delay": -1},
        {"retry_delay": float("inf")},
        {"timeout": -1},
        {"timeout": "30"},
        {"priority": 0},
        {"queue": "a b"},
        {"name": "a b"},
        {"name": "n" * 256},
    ],
    ids=str,
)
def test_an_option_of_the_decorator_outside_its_bounds_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        make_soniq().job(**options)(send)


def test_options_of_the_decorator_reach_the_row() -> None:
    task = make_soniq().job(queue="billing", priority=7, retries=0)(send)
    row = offer(task, 1).row
    assert (row.queue, row.priority, row.max_attempts) == ("billing", 7, 1)


def test_the_defaults_reach_the_row() -> None:
    row = offer(make_soniq().job(send), 1).row
    assert (row.queue, row.priority, row.max_attempts, row.state) == ("default", 100, 4, "queued")


def test_options_leave_the_task_as_it_was_and_add_up() -> None:
    task = make_soniq().job(queue="billing")(send)
    changed = task.options(priority=3).options(delay=60)
    row = offer(changed, 1).row
    assert (row.queue, row.priority, row.state) == ("billing", 3, "scheduled")
    row = offer(task, 1).row
    assert (row.queue, row.priority, row.state) == ("billing", 100, "queued")


def test_a_later_time_option_takes_the_place_of_an_earlier_one() -> None:
    task = make_soniq().job(send).options(run_at=LATER)
    changed = task.options(delay=60).defaults
    assert (changed.delay, changed.run_at) == (60, None)


def test_delay_and_run_at_exclude_each_other() -> None:
    with pytest.raises(OptionError, match="exclude each other"):
        make_soniq().job(send).options(delay=1, run_at=LATER)


def test_a_naive_run_at_is_refused() -> None:
    with pytest.raises(OptionError, match="naive datetime"):
        make_soniq().job(send).options(run_at=datetime(2040, 1, 1))  # noqa: DTZ001 - the point


@pytest.mark.parametrize(
    ("given", "meant"), [("quue", "queue"), ("prio", "priority"), ("dealy", "delay")]
)
def test_an_unknown_option_suggests_the_near_name(given: str, meant: str) -> None:
    with pytest.raises(UnknownOptionError, match=f"{given!r}.*Did you mean {meant!r}") as error:
        make_soniq().job(send).options(**{given: 1})  # type: ignore[misc] # the point
    assert isinstance(error.value, TypeError)


def test_an_unknown_option_without_a_near_name_lists_those_that_exist() -> None:
    with pytest.raises(UnknownOptionError, match="queue, priority, delay, run_at"):
        make_soniq().job(send).options(zzz=1)  # type: ignore[call-arg] # the point


def test_a_queue_nearly_named_like_one_of_a_task_is_refused() -> None:
    soniq = make_soniq()
    task = soniq.job(queue="billing")(send)
    with pytest.raises(UnknownQueueError, match="Did you mean 'billing'") as error:
        task.options(queue="biling")
    assert isinstance(error.value, LookupError)
    assert "queues=['biling']" in str(error.value)


def test_any_other_queue_is_taken_while_none_is_declared() -> None:
    row = offer(make_soniq().job(send).options(queue="reports"), 1).row
    assert row.queue == "reports"


def test_declared_queues_are_all_there_are() -> None:
    task = make_soniq(queues=["billing", "mail"]).job(send)
    assert offer(task.options(queue="mail"), 1).row.queue == "mail"
    with pytest.raises(UnknownQueueError, match="Known queues: billing, default, mail"):
        task.options(queue="reports")


def test_queues_that_differ_in_their_digits_only_are_no_near_misses() -> None:
    soniq = make_soniq()
    task = soniq.job(queue="tenant-1")(send)
    assert offer(task.options(queue="tenant-2"), 1).row.queue == "tenant-2"


def test_a_near_miss_may_be_declared() -> None:
    soniq = make_soniq(queues=["billing", "biling"])
    assert offer(soniq.job(send).options(queue="biling"), 1).row.queue == "biling"


@pytest.mark.parametrize("name", ["", "a b", 7])
def test_a_queue_that_cannot_be_one_cannot_be_declared(name: Any) -> None:
    with pytest.raises(OptionError):
        make_soniq(queues=[name])


def test_two_tasks_cannot_have_one_name() -> None:
    soniq = make_soniq()
    soniq.job(name="send")(send)
    with pytest.raises(TaskDefinitionError, match="Two tasks are named 'send'"):
        soniq.job(name="send")(lambda: None)


def test_two_applications_share_no_names() -> None:
    assert make_soniq().job(send).name == make_soniq().job(send).name


def test_the_default_name_is_that_of_module_and_function() -> None:
    assert make_soniq().job(send).name == f"{__name__}.send"


async def test_a_task_is_called_like_its_function() -> None:
    soniq = make_soniq()

    @soniq.job
    async def double(number: int) -> int:
        """Double a number."""
        return number * 2

    assert soniq.job(send)(3) == 3
    assert await double(4) == 8
    assert double.__doc__ == "Double a number."
    assert double.__name__ == "double"


class NoFunction:
    """A class."""


def generate() -> Any:
    yield 1


async def generate_async() -> Any:
    yield 1


@pytest.mark.parametrize("thing", [NoFunction, generate, generate_async, 7, "send"])
def test_what_is_no_function_cannot_be_a_task(thing: Any) -> None:
    with pytest.raises(TaskDefinitionError):
        make_soniq().job()(thing)
