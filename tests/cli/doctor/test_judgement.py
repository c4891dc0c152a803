"""What a test cannot bring about, or only after an hour: the judgement of what was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from soniq_sa.cli.doctor.checks import holders, indexes, mode, timeouts, vacuum, versions
from soniq_sa.cli.doctor.finding import Finding

PATIENT: Any = SimpleNamespace(
    url="postgresql://host/shop",
    models=SimpleNamespace(jobs=SimpleNamespace(fullname="soniq_jobs")),
    settings=SimpleNamespace(job_timeout=None),
)


def judged(judge: Callable[..., Iterable[Finding]], **row: Any) -> Finding:
    """Return the one finding about one row."""
    (found,) = judge(PATIENT, [SimpleNamespace(**row)])
    return found


def test_a_standby_is_a_problem() -> None:
    found = judged(mode.judge, standby=True, read_only="off")
    assert (found.level, "standby" in found.what) == ("problem", True)


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("transaction_timeout", "warning"),
        ("idle_session_timeout", "note"),
        ("lock_timeout", "note"),
    ],
)
def test_a_timeout_of_an_hour_is_a_warning_where_handlers_may_run_for_longer(
    name: str, level: str
) -> None:
    found = judged(timeouts.judge, name=name, setting="3600000", source="user")
    assert found.level == level
    assert found.what.startswith(f"{name} is 3600 s (set by: user); it ")
    assert found.remedy


@pytest.mark.parametrize(("number", "level"), [("120020", "problem"), ("130001", "ok")])
def test_a_server_before_version_13_is_a_problem(number: str, level: str) -> None:
    rows = [
        SimpleNamespace(name="server_version_num", setting=number),
        SimpleNamespace(name="server_version", setting="x (Debian)"),
    ]
    (found,) = versions.judge(PATIENT, rows)  # type: ignore[arg-type]
    assert found.level == level


@pytest.mark.parametrize(
    ("age", "level", "text"),
    [(599, "ok", "10 min"), (600, "warning", "10 min"), (7200, "problem", "2 h")],
)
def test_a_transaction_that_is_open_for_long_is_told_by_its_age(
    age: float, level: str, text: str
) -> None:
    row = {"pid": 7, "name": "report", "state": "idle in transaction", "hidden": 0}
    found = judged(holders.judge_transactions, **row, age=age)
    assert found.level == level
    assert f"{text} old: process 7 (report), idle in transaction" in found.what
    assert ("pg_terminate_backend(7)" in found.remedy) == (level != "ok")


def test_a_transaction_that_was_prepared_long_ago_is_a_warning() -> None:
    found = judged(holders.judge_prepared, gid="left", owner="shop", age=90_000)
    assert (found.level, found.what) == (
        "warning",
        "the transaction 'left' of shop has been prepared for 25 h",
    )


def test_a_slot_that_keeps_dead_rows_is_a_warning() -> None:
    assert judged(holders.judge_slots, name="old", holds=True).level == "warning"


@pytest.mark.parametrize(
    ("live", "dead", "level"),
    [(10, 50_001, "warning"), (10, 50_000, "ok"), (60_000, 60_000, "ok")],
)
def test_more_dead_rows_than_live_ones_are_a_warning(live: int, dead: int, level: str) -> None:
    now = datetime.now(UTC)
    times = {"vacuumed_at": now, "analyzed_at": now}
    found = judged(vacuum.judge_table, live=live, dead=dead, options="", **times)
    assert found.level == level
    assert f"{live} live rows, {dead} dead ones" in found.what


def test_a_large_table_that_was_never_analyzed_is_a_warning() -> None:
    row = {"vacuumed_at": None, "options": ""}
    found = judged(vacuum.judge_table, live=10_001, dead=0, analyzed_at=None, **row)
    assert (found.level, found.remedy) == ("warning", "ANALYZE soniq_jobs.")


def test_an_index_that_is_much_larger_than_its_entries_need_is_a_warning() -> None:
    megabyte = 1024 * 1024
    row = {"name": "public.ix", "valid": True}
    assert judged(indexes.judge, **row, bytes=65 * megabyte, entries=100.0).level == "warning"
    assert judged(indexes.judge, **row, bytes=63 * megabyte, entries=100.0).level == "ok"
    assert judged(indexes.judge, **row, bytes=650 * megabyte, entries=1_000_000.0).level == "ok"
    assert judged(indexes.judge, **row, bytes=65 * megabyte, entries=-1.0).level == "ok"
