"""What one job may be given beside its arguments is checked on the line where it is given."""

from __future__ import annotations

import math
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from soniq_sa import (
    JobOptions,
    OptionError,
    Priority,
    Soniq,
    Task,
    UnknownOptionError,
    enqueue,
    enqueue_many,
)
from soniq_sa.models import JobMixin, include_tables
from tests.words.app import make_soniq, offer

TEN_YEARS = timedelta(days=3650)


class Base(DeclarativeBase):
    """A base whose job table has columns of the user."""


class Job(JobMixin, Base):
    """The job table, with columns of the user."""

    tenant_id: Mapped[int | None]
    region: Mapped[str | None] = mapped_column("region_code")
    level: Mapped[int | None] = mapped_column(default=3)


include_tables(Base.metadata)


def send(order_id: int) -> int:
    return order_id


def make_task(**options: Any) -> Task[[int], int]:
    """Return a task on the plain job table."""
    return make_soniq().job(name="send", **options)(send)


def tenants_task() -> Task[[int], int]:
    """Return a task on the job table that has columns of the user."""
    return Soniq(Base.metadata).job(name="send")(send)


@pytest.mark.parametrize(
    ("options", "column", "stored"),
    [
        ({"retries": 0}, "max_attempts", 1),
        ({"retries": 7}, "max_attempts", 8),
        ({"retries": 1_000_000}, "max_attempts", 1_000_001),
        ({"timeout": 0}, "timeout", 0),
        ({"timeout": 0.5}, "timeout", 0.5),
        ({"timeout": timedelta(minutes=1)}, "timeout", 60),
        ({"timeout": TEN_YEARS}, "timeout", TEN_YEARS.total_seconds()),
        ({"tags": ["billing", "eu"]}, "tags", ["billing", "eu"]),
        ({"tags": ("a",)}, "tags", ["a"]),
        ({"tags": (word for word in "ab")}, "tags", ["a", "b"]),
        ({"tags": []}, "tags", []),
        ({"tags": ["t" * 64] * 20}, "tags", ["t" * 64] * 20),
        ({"tags": ["späť 🎈", '"', "\n"]}, "tags", ["späť 🎈", '"', "\n"]),
        ({"headers": {"traceparent": "00-ab"}}, "headers", {"traceparent": "00-ab"}),
        ({"headers": MappingProxyType({"": ""})}, "headers", {"": ""}),
        ({"headers": {"k": "v" * 8191}}, "headers", {"k": "v" * 8191}),
        ({"headers": {}}, "headers", {}),
        ({"priority": Priority.BATCH}, "priority", 1000),
        ({"priority": Priority.CRITICAL}, "priority", 1),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_option_reaches_its_column(options: Any, column: str, stored: Any) -> None:
    assert getattr(offer(make_task().options(**options), 1).row, column) == stored


def test_a_plain_job_has_none_of_them() -> None:
    row = offer(make_task(), 1).row
    assert [row.timeout, row.tags, row.headers, row.expires_at] == [None] * 4


@pytest.mark.parametrize("seconds", [0, 60, timedelta(minutes=1)])
def test_an_expiry_is_kept_until_the_flush(seconds: Any) -> None:
    expected = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    assert make_task().options(expires_in=seconds).defaults.expires_in == expected
    assert make_task(expires_in=seconds).defaults.expires_in == expected


def test_a_job_may_never_expire_though_the_others_of_its_task_do() -> None:
    assert make_task(expires_in=60).options(expires_in=None).defaults.expires_in is None


def test_there_are_five_named_priorities_in_their_order() -> None:
    assert [(one.name, one.value) for one in sorted(Priority)] == [
        ("CRITICAL", 1),
        ("HIGH", 50),
        ("NORMAL", 100),
        ("LOW", 500),
        ("BATCH", 1000),
    ]
    assert make_task().defaults.priority == Priority.NORMAL


SECONDS: list[Any] = [-1, -0.001, math.nan, math.inf, -math.inf, True, "60", [1], object(), 10**400]


def refused() -> list[tuple[str, Any]]:
    """Return options that cannot be, with their values."""
    return [
        *(("timeout", one) for one in [*SECONDS, TEN_YEARS + timedelta(seconds=1)]),
        *(("expires_in", one) for one in [*SECONDS, timedelta(seconds=-1)]),
        *(("retries", one) for one in (-1, 1.0, True, "3", None, math.nan, 1_000_001, 10**400)),
        *(("priority", one) for one in (Priority, "HIGH", None, 10**400, math.nan)),
        ("tags", "billing"),
        ("tags", b"ab"),
        ("tags", 7),
        ("tags", None),
        ("tags", {"a": "b"}),
        ("tags", ["x"] * 21),
        ("tags", ["x" * 65]),
        ("tags", [""]),
        ("tags", ["a\0b"]),
        ("tags", ["\ud800"]),
        ("tags", [1]),
        ("tags", [None]),
        ("tags", [b"a"]),
        ("tags", [["a"]]),
        ("headers", "abc"),
        ("headers", 7),
        ("headers", None),
        ("headers", ["ab"]),
        ("headers", {"k": "v" * 8192}),
        ("headers", {"k" * 8193: ""}),
        ("headers", {"k": "é" * 4096}),
        ("headers", {"k": 1}),
        ("headers", {"k": None}),
        ("headers", {1: "v"}),
        ("headers", {"k": ["v"]}),
        ("headers", {"k": b"v"}),
        ("headers", {"k": "a\0b"}),
        ("headers", {"k\0": "v"}),
        ("headers", {"k": "\udfff"}),
        ("columns", 7),
        ("columns", None),
        ("columns", "ab"),
        ("columns", ["tenant_id"]),
        ("columns", {1: 2}),
    ]


@pytest.mark.parametrize(("name", "value"), refused(), ids=lambda value: f"{value!s:.20}")
def test_a_value_that_cannot_be_is_refused_with_the_name_of_its_option(
    name: str, value: Any
) -> None:
    with pytest.raises(OptionError, match=f"'{name}'") as error:
        tenants_task().options(**{name: value})  # type: ignore[misc] # the point
    assert isinstance(error.value, ValueError)


@pytest.mark.parametrize(
    ("name", "value"),
    [("tags", ["x" * 5_000_000]), ("headers", {"k": "\0" * 5_000_000}), ("queue", "q" * 5_000_000)],
    ids=["tags", "headers", "queue"],
)
def test_a_huge_value_is_refused_in_few_words(name: str, value: Any) -> None:
    with pytest.raises(OptionError) as error:
        make_task().options(**{name: value})  # type: ignore[misc] # the point
    assert len(str(error.value)) < 1_000


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("retrys", "retries"),
        ("retry", "retries"),
        ("time_out", "timeout"),
        ("expires", "expires_in"),
        ("tag", "tags"),
        ("header", "headers"),
        ("column", "columns"),
        ("scheduled_at", "run_at"),
        ("execute_after", "delay"),
        ("max_retries", "retries"),
    ],
)
def test_an_unknown_option_suggests_the_near_name(given: str, meant: str) -> None:
    with pytest.raises(UnknownOptionError, match=f"{given!r}.*Did you mean {meant!r}"):
        make_task().options(**{given: 1})  # type: ignore[misc] # the point


@pytest.mark.parametrize("name", ["unique", "dedup_key", "on_conflict", "concurrency_key"])
def test_an_option_that_does_not_exist_yet_is_refused_not_ignored(name: str) -> None:
    with pytest.raises(UnknownOptionError, match=f"no job option {name!r}"):
        make_task().options(**{name: "x"})  # type: ignore[misc] # the point
    with pytest.raises(UnknownOptionError, match=f"no option {name!r}"):
        make_task(**{name: "x"})


def test_every_option_of_a_job_is_documented() -> None:
    documented = JobOptions.__doc__ or ""
    for name in JobOptions.__annotations__:
        assert f"\n    {name}: " in documented


@pytest.mark.parametrize(
    "columns", [{"tenant_id": 7}, {"region": "eu", "tenant_id": 1}, {}], ids=str
)
def test_the_columns_of_the_user_reach_the_row(columns: dict[str, Any]) -> None:
    row = enqueue(Session(), tenants_task().options(columns=columns), 1).row
    for name, value in columns.items():
        assert getattr(row, name) == value


def test_none_for_a_column_is_null_whatever_its_default() -> None:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        for columns in ({}, {"level": None}, {"level": 7}):
            task = tenants_task().options(columns=columns)
            enqueue(session, task, 1)
            enqueue_many(session, task, [{"order_id": 2}])
            session.flush()
        levels = list(session.scalars(select(Job.level).order_by(Job.id)))
    engine.dispose()
    assert levels == [3, 3, None, None, 7, 7]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("tenant", "'tenant_id'"),
        ("tenantid", "'tenant_id'"),
        ("region_code", "'region'"),
        ("x", ""),
    ],
)
def test_a_column_that_is_not_there_is_refused_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(UnknownOptionError, match=f"no column {name!r}") as error:
        tenants_task().options(columns={name: 1})
    assert (f"Did you mean {hint}?" if hint else "tenant_id, region, level") in str(error.value)


def test_a_table_without_columns_of_the_user_takes_none() -> None:
    with pytest.raises(UnknownOptionError, match="no column 'tenant_id'"):
        make_task().options(columns={"tenant_id": 1})


@pytest.mark.parametrize("name", sorted(Job.soniq_columns()))
def test_a_column_of_ours_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match=f"column {name!r} is set by soniq-sa"):
        tenants_task().options(columns={name: 1})


def test_a_change_of_what_was_given_changes_no_job() -> None:
    tags, headers, columns = ["a"], {"a": "b"}, {"tenant_id": 1}
    task = tenants_task().options(tags=tags, headers=headers, columns=columns)
    tags.append("b")
    headers["c"] = "d"
    columns["tenant_id"] = 2
    row = enqueue(Session(), task, 1).row
    assert (row.tags, row.headers, row.tenant_id) == (["a"], {"a": "b"}, 1)


def test_jobs_of_one_task_share_no_tags_and_headers() -> None:
    task = make_task().options(tags=["a"], headers={"a": "b"})
    first, second = offer(task, 1).row, offer(task, 2).row
    first.tags.append("b")
    first.headers["c"] = "d"
    assert (second.tags, second.headers) == (["a"], {"a": "b"})


def test_options_add_up_and_the_last_word_counts() -> None:
    task = make_task(retries=1).options(retries=2, tags=["a"]).options(timeout=5)
    changed = task.options(retries=9, tags=["b"])
    row, other = offer(task, 1).row, offer(changed, 1).row
    assert (row.max_attempts, row.tags, row.timeout) == (3, ["a"], 5)
    assert (other.max_attempts, other.tags, other.timeout) == (10, ["b"], 5)
