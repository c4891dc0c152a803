"""Enqueueing works on SQLite too, for tests of applications."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from soniq_sa import AsyncSoniqSession, EntityReferenceError, SoniqSession
from tests.session import app
from tests.session.app import note, ship, ship_early, ship_some
from tests.session.models import Base, Early, Job, Order, Seat
from tests.session.variants import AwaitedSession

MODELS = [Order, Early, Seat, Job]


@pytest.fixture(params=["sqlite", "aiosqlite"])
async def session(request: Any, tmp_path: Path) -> AsyncIterator[Any]:
    """Return a session on a new database file."""
    engine = create_engine(f"sqlite:///{tmp_path}/db", poolclass=NullPool)
    Base.metadata.create_all(engine, tables=[model.__table__ for model in MODELS])
    if request.param == "sqlite":
        async with AwaitedSession(SoniqSession(engine, expire_on_commit=False)) as opened:
            yield opened
    else:
        async_engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/db", poolclass=NullPool)
        async with AsyncSoniqSession(async_engine, expire_on_commit=False) as opened:
            yield opened
        await async_engine.dispose()


async def jobs(session: Any) -> list[Any]:
    """Return the rows of the jobs."""
    return (await session.execute(select(Job.__table__).order_by(Job.id))).all()


async def test_jobs_with_and_without_entities(session: Any) -> None:
    order, early, place = Order(), Early(), Seat(row="A", number=1)
    session.add_all([order, early, place])
    session.enqueue(note, "a")
    session.enqueue(ship, order)
    session.enqueue(ship_early, early)
    session.enqueue(ship_some, [order, order])
    session.enqueue(app.seat, place)
    session.enqueue_many(note, [{"text": "b"}, {"text": "c"}])
    session.enqueue_many(ship, [{"order": order}])
    await session.commit()
    found = [(row.task, row.args) for row in await jobs(session)]
    assert found == [
        ("note", {"text": "a"}),
        ("ship", {"order": order.id}),
        ("ship_early", {"order": early.id}),
        ("ship_some", {"orders": [order.id, order.id]}),
        ("seat", {"entity": ["A", 1]}),
        ("note", {"text": "b"}),
        ("note", {"text": "c"}),
        ("ship", {"order": order.id}),
    ]


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
@pytest.mark.parametrize(
    ("options", "waits"),
    [({}, 0), ({"delay": 0}, 0), ({"delay": 3600}, 3600), ({"run_at": timedelta(hours=2)}, 7200)],
    ids=str,
)
async def test_delays(session: Any, options: dict[str, Any], waits: int, *, many: bool) -> None:
    task = note.options(**options)
    if many:
        session.enqueue_many(task, [{"text": "a"}])
    else:
        session.enqueue(task, "a")
    await session.commit()
    (row,) = await jobs(session)
    assert row.state == ("scheduled" if waits else "queued")
    due = row.run_at.replace(tzinfo=UTC) - datetime.now(UTC)
    assert abs(due.total_seconds() - waits) < 60


async def test_times(session: Any) -> None:
    when = datetime(2040, 1, 1, tzinfo=UTC)
    order = Order()
    session.add(order)
    session.enqueue(ship.options(run_at=when), order)
    session.enqueue_many(ship.options(run_at=when), [{"order": order}])
    await session.commit()
    for row in await jobs(session):
        assert (row.state, row.run_at, row.args) == (
            "scheduled",
            when.replace(tzinfo=None),
            {"order": order.id},
        )


async def test_a_rollback_takes_the_jobs(session: Any) -> None:
    session.enqueue(note, "a")
    session.enqueue_many(note, [{"text": "b"}])
    await session.flush()
    await session.rollback()
    assert await jobs(session) == []


async def test_an_entity_that_is_never_added(session: Any) -> None:
    session.enqueue(ship, Order())
    with pytest.raises(EntityReferenceError):
        await session.commit()
    await session.rollback()
    assert await jobs(session) == []
