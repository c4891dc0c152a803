"""Enqueueing costs the application's transaction next to nothing (P8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.session.app import note, seat, ship, ship_early, ship_some
from tests.session.models import Early, Order, Seat
from tests.session.variants import Variant

LATER = datetime(2040, 1, 1, tzinfo=UTC)


def mixed(number: int, task: Any) -> Any:
    """Return ``task`` with other options for every number."""
    options: list[dict[str, Any]] = [
        {},
        {"priority": 1 + number % 1000},
        {"queue": f"queue-{number}"},
        {"delay": number},
        {"run_at": LATER + timedelta(seconds=number)},
        {"run_at": number, "priority": 5, "queue": "other"},
    ]
    return task.options(**options[number % len(options)])


async def test_1000_jobs_with_mixed_options_take_at_most_5_inserts_and_no_notification(
    variant: Variant,
) -> None:
    async with variant.session() as session:
        old = Order()
        session.add(old)
        await session.commit()
        with variant.statements() as statements:
            for number in range(1_000):
                order = Order()
                session.add(order)
                match number % 4:
                    case 0:
                        session.enqueue(mixed(number, note), str(number))
                    case 1:
                        session.enqueue(mixed(number, ship), order)
                    case 2:
                        session.enqueue(mixed(number, ship), old, text="again")
                    case _:
                        session.enqueue(mixed(number, ship_some), [order, old])
            await session.commit()
        kept = [one.split("(")[0].strip() for one in statements]
    assert len([one for one in kept if one.startswith("INSERT INTO soniq_jobs")]) <= 5, kept
    assert len([one for one in kept if one.startswith("UPDATE soniq_jobs")]) <= 1, kept
    assert len(kept) <= 12, kept
    assert not [one for one in statements if "notify" in one.lower()]
    assert len(variant.rows()) == 1_000


async def test_plain_jobs_take_no_statement_but_their_insert(variant: Variant) -> None:
    async with variant.session() as session:
        with variant.statements() as statements:
            for number in range(100):
                session.enqueue(note.options(priority=1 + number), str(number))
            await session.commit()
    assert [one.split()[0] for one in statements] == ["INSERT"]


async def test_an_entity_that_has_its_key_takes_no_update(variant: Variant) -> None:
    async with variant.session() as session:
        place = Seat(row="A", number=1)
        session.add(place)
        await session.commit()
        with variant.statements() as statements:
            session.enqueue(seat, place)
            await session.commit()
    assert [one.split()[0] for one in statements] == ["INSERT"]


async def test_an_entity_that_is_inserted_before_its_job_takes_no_update(variant: Variant) -> None:
    async with variant.session() as session:
        early = Early()
        session.add(early)
        session.enqueue(ship_early, early)
        with variant.statements() as statements:
            await session.commit()
    assert [one.split()[0] for one in statements] == ["INSERT", "INSERT"]


async def test_a_session_without_jobs_is_left_alone(variant: Variant) -> None:
    async with variant.session() as session:
        with variant.statements() as statements:
            session.add(Order())
            await session.commit()
        assert not session.info
    assert [one.split()[0] for one in statements] == ["INSERT"]


@pytest.mark.parametrize("kind", [Order, Seat])
async def test_entities_are_inserted_as_many_at_a_time_as_without_jobs(
    variant: Variant, kind: Any
) -> None:
    def make(number: int) -> Any:
        return Order() if kind is Order else Seat(row="A", number=number)

    task = ship if kind is Order else seat
    counts = []
    for with_jobs in (False, True):
        variant.clear()
        async with variant.session() as session:
            entities = [make(number) for number in range(200)]
            session.add_all(entities)
            if with_jobs:
                for one in entities:
                    session.enqueue(task, one)
            with variant.statements() as statements:
                await session.commit()
        counts.append(len([s for s in statements if "soniq_jobs" not in s]))
    assert counts[0] == counts[1]
