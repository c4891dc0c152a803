"""``delay`` and ``run_at`` count by the database's clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.session import app
from tests.session.app import note, ship
from tests.session.models import Order
from tests.session.variants import Variant

HOUR = timedelta(hours=1)


async def enqueue_one(variant: Variant, task: Any, how: str) -> Any:
    """Enqueue and commit one job, and return its row."""
    async with variant.session() as session:
        if how == "many":
            session.enqueue_many(task, [{"text": "a"}])
        else:
            session.enqueue(task, "a")
        await session.commit()
    (row,) = variant.rows()
    return row


@pytest.mark.parametrize("how", ["one", "many"])
@pytest.mark.parametrize(
    ("options", "waits"),
    [
        ({"delay": 3600}, HOUR),
        ({"delay": HOUR}, HOUR),
        ({"delay": 0.25}, timedelta(seconds=0.25)),
        ({"run_at": 3600.0}, HOUR),
        ({"run_at": HOUR}, HOUR),
    ],
    ids=str,
)
async def test_a_delay_counts_from_the_start_of_the_transaction(
    variant: Variant, how: str, options: dict[str, Any], waits: timedelta
) -> None:
    row = await enqueue_one(variant, note.options(**options), how)
    assert row.run_at - row.created_at == waits
    assert row.state == "scheduled"


@pytest.mark.parametrize("how", ["one", "many"])
async def test_no_delay_at_all_is_due_at_once(variant: Variant, how: str) -> None:
    row = await enqueue_one(variant, note.options(delay=0), how)
    assert (row.state, row.run_at) == ("queued", row.created_at)


@pytest.mark.parametrize("how", ["one", "many"])
async def test_a_time_is_stored_as_it_is(variant: Variant, how: str) -> None:
    when = datetime(2040, 1, 1, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=-9)))
    row = await enqueue_one(variant, note.options(run_at=when), how)
    assert (row.state, row.run_at) == ("scheduled", when)


@pytest.mark.parametrize("how", ["one", "many"])
async def test_a_time_that_has_passed_is_due_at_once(variant: Variant, how: str) -> None:
    when = datetime(2020, 1, 1, tzinfo=UTC)
    row = await enqueue_one(variant, note.options(run_at=when), how)
    assert (row.state, row.run_at) == ("queued", when)


@pytest.mark.parametrize("how", ["one", "many"])
async def test_the_clock_of_the_application_does_not_matter(
    variant: Variant, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    yesterday = time.time() - 86_400

    class Slow(datetime):
        """Tells the time of yesterday."""

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.fromtimestamp(yesterday, tz)

    monkeypatch.setattr("soniq_sa.session.unit_of_work.datetime", Slow)
    row = await enqueue_one(variant, note.options(delay=3600), how)
    now = variant.rows("SELECT now() AS now")[0].now
    assert abs(row.run_at - now - HOUR) < timedelta(minutes=1)


async def test_the_row_knows_its_time_after_the_flush(variant: Variant) -> None:
    async with variant.session() as session:
        order = Order()
        session.add(order)
        row = session.enqueue(ship.options(delay=3600), order).row
        assert row.state == "scheduled"
        await session.flush()
        now = await session.scalar(select(func.now()))
        assert (row.state, row.run_at - now) == ("scheduled", HOUR)
        assert row.args == {"order": order.id}


async def test_two_jobs_of_one_transaction_wait_for_times_of_their_own(variant: Variant) -> None:
    async with variant.session() as session:
        for delay in (1, 2, 3):
            session.enqueue(note.options(delay=delay), str(delay))
        session.enqueue(note, "now")
        await session.commit()
    waits = {row.args["text"]: (row.run_at - row.created_at).seconds for row in variant.rows()}
    assert waits == {"1": 1, "2": 2, "3": 3, "now": 0}


async def test_a_time_set_on_the_row_by_hand_is_kept(variant: Variant) -> None:
    when = datetime(2040, 1, 1, tzinfo=UTC)
    async with variant.session() as session:
        row = session.enqueue(note, "a").row
        row.run_at, row.state = when, "scheduled"
        await session.commit()
    (stored,) = variant.rows()
    assert (stored.run_at, stored.state) == (when, "scheduled")


def test_the_tasks_of_these_tests_have_no_times_of_their_own() -> None:
    assert not any(task.defaults.deferred for task in app.soniq.tasks)
