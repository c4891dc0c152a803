"""How long a job is kept: what a task says, and what the settings say where it says nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from soniq_sa import ConfigurationError, JobState, OptionError, Soniq, UnknownOptionError
from soniq_sa.settings import load_settings
from tests.words.app import make_soniq

DAY, WEEK = 86_400.0, 604_800.0
DONE, CANCELLED, DEAD = JobState.DONE, JobState.CANCELLED, JobState.DEAD


async def work() -> None:
    pass


def kept(soniq: Soniq, name: str = "work") -> tuple[float | None, float | None, float | None]:
    """Return for how long jobs are kept that are done, cancelled and dead."""
    retention = soniq.tasks.retention()
    return (retention.of(name, DONE), retention.of(name, CANCELLED), retention.of(name, DEAD))


@pytest.mark.parametrize(
    ("options", "meant"),
    [
        ({}, (DAY, WEEK, None)),
        ({"retention": 60}, (60, 60, None)),
        ({"retention": timedelta(hours=1)}, (3600, 3600, None)),
        ({"retention": 0}, (0, 0, None)),
        ({"retention": None}, (None, None, None)),
        ({"retention": {}}, (DAY, WEEK, None)),
        ({"retention": {"done": 0}}, (0, WEEK, None)),
        ({"retention": {"dead": timedelta(days=2)}}, (DAY, WEEK, 2 * DAY)),
        ({"retention": {"done": None, "cancelled": 5, "dead": 0.5}}, (None, 5, 0.5)),
        ({"retention": {JobState.DONE: 7}}, (7, WEEK, None)),
    ],
    ids=str,
)
def test_a_number_is_for_jobs_that_are_done_or_cancelled_and_a_dict_for_each_state(
    options: dict[str, Any], meant: tuple[Any, ...]
) -> None:
    soniq = make_soniq()
    soniq.job(name="work", **options)(work)
    assert kept(soniq) == meant


def test_a_task_is_known_by_its_earlier_names_too() -> None:
    soniq = make_soniq()
    soniq.job(name="work", aliases=["labour"], retention=1)(work)
    assert kept(soniq, "labour") == (1, 1, None)
    assert kept(soniq, "leisure") == (DAY, WEEK, None)


@pytest.mark.parametrize(
    "value", [-1, float("nan"), float("inf"), "1", True, [1], timedelta(days=3651)], ids=str
)
@pytest.mark.parametrize("in_dict", [False, True], ids=["alone", "in a dict"])
def test_a_time_that_cannot_be_is_refused_with_its_value(value: Any, in_dict: bool) -> None:  # noqa: FBT001
    with pytest.raises(
        OptionError, match=r"'retention'.*\w+\. None is for ever\. \[C06\]$"
    ) as error:
        make_soniq().job(retention={"done": value} if in_dict else value)
    assert repr(value) in str(error.value)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("doen", "Did you mean 'done'"),
        ("queued", "Jobs end as done, cancelled, dead"),
        (7, "Jobs end as done, cancelled, dead"),
    ],
)
def test_a_state_in_which_no_job_ends_is_refused(state: Any, told: str) -> None:
    with pytest.raises(UnknownOptionError, match=told) as error:
        make_soniq().job(retention={state: 1})
    assert repr(state) in str(error.value)


def test_the_settings_hold_for_tasks_that_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONIQ_SA_RETENTION_DONE", "none")
    monkeypatch.setenv("SONIQ_SA_RETENTION_DEAD", "9")
    soniq = make_soniq()
    soniq.job(name="work", retention={"dead": 3})(work)
    assert kept(soniq) == (None, WEEK, 3)
    assert kept(soniq, "another") == (None, WEEK, 9)


def test_what_a_worker_was_given_comes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SONIQ_SA_RETENTION_DONE", "7")
    given = load_settings(retention_done="none", retention_dead=1).retention
    retention = make_soniq().tasks.retention(given)
    assert [retention.of("any", state) for state in (DONE, CANCELLED, DEAD)] == [None, WEEK, 1]


@pytest.mark.parametrize("name", ["retention_done", "retention_cancelled", "retention_dead"])
@pytest.mark.parametrize(
    ("given", "meant"),
    [("none", None), (" None ", None), ("0", 0), ("1.5", 1.5), (3, 3), ("315360000", 315_360_000)],
)
def test_a_setting_takes_seconds_or_none(name: str, given: Any, meant: float | None) -> None:
    assert getattr(load_settings(**{name: given}), name) == meant


@pytest.mark.parametrize("name", ["retention_done", "retention_cancelled", "retention_dead"])
@pytest.mark.parametrize("given", ["never", "", "-1", "inf", "nan", "315360001"])
def test_a_setting_that_cannot_be_is_named(name: str, given: str) -> None:
    with pytest.raises(ConfigurationError, match=f"SONIQ_SA_{name.upper()}.*--{name[:9]}") as error:
        load_settings(**{name: given})
    assert "none for ever" in str(error.value) or "Input should" in str(error.value)
