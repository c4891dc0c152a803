"""With ``notify="trigger"`` PostgreSQL wakes the workers; this side speaks where the trigger cannot."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from soniq_sa import ConfigurationError, Soniq, SoniqSession
from soniq_sa.localserver import LocalServer
from soniq_sa.models import include_tables
from tests.session.listening import PATIENCE, libpq
from tests.session.variants import DRIVERS, Variant, dispose

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
MARKER = "marker"


class Base(DeclarativeBase):
    """The application's base; its job table has the trigger."""


class Order(Base):
    """A row with a key made by the database."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


Job: Any = include_tables(Base.metadata, notify="trigger").Job
soniq = Soniq(Base.metadata)


@soniq.job(name="note")
def note(number: int = 0) -> None:
    del number


@soniq.job(name="ship")
def ship(order: Order) -> None:
    del order


class Ears:
    """What was said on the channel of the jobs."""

    def __init__(self, variant: Variant) -> None:
        self._variant = variant
        self._names: Counter[str] = Counter()

    def hear(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        self._names.update(payload.split(","))

    async def all(self) -> list[str]:
        """Return every name that was said since the last call, as often as it was said.

        One thread speaks for an engine, in order: a marker comes last that it has to say. It goes in
        as scheduled, so that the trigger hints at it.
        """
        async with self._variant.session() as session:
            session.enqueue(note.options(queue=MARKER, run_at=LONG_AGO))
            await session.commit()
        deadline = time.monotonic() + PATIENCE
        while MARKER not in self._names:
            assert time.monotonic() < deadline, f"heard only {self._names}"
            await asyncio.sleep(0.005)
        names, self._names = self._names, Counter()
        names.subtract(["@", MARKER])
        return sorted(names.elements())


@pytest.fixture(scope="session")
def trigger_observer(server: LocalServer) -> Iterator[Engine]:
    """Return an engine on a database with the tables and their trigger."""
    name = f"trigger_{secrets.token_hex(6)}"
    url = make_url(server.create_database(name))
    engine = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()
    server.drop_database(name)


@pytest.fixture(params=DRIVERS)
async def variant(request: Any, trigger_observer: Engine) -> AsyncIterator[Variant]:
    """Return each kind of session in turn, on empty tables."""
    with trigger_observer.connect() as connection:
        connection.exec_driver_sql("TRUNCATE soniq_jobs, orders")
    made = Variant(request.param, trigger_observer.url, trigger_observer)
    yield made
    await dispose(made)


@pytest.fixture
async def ears(variant: Variant) -> AsyncIterator[Ears]:
    """Listen on the channel of the jobs."""
    listener = Ears(variant)
    connection = await asyncpg.connect(libpq(variant.sync_engine.url))
    await connection.add_listener("soniq_sa:soniq_jobs", listener.hear)
    yield listener
    await connection.close()


async def test_a_job_is_announced_once_and_by_the_trigger(variant: Variant, ears: Ears) -> None:
    async with variant.session() as session:
        session.enqueue(note.options(queue="a"))
        await session.commit()
        assert await ears.all() == ["a"]
        assert [row.state for row in variant.rows()] == ["queued", "queued"]


async def test_nothing_is_said_before_the_commit(variant: Variant, ears: Ears) -> None:
    async with variant.session() as session:
        session.enqueue(note.options(queue="a"))
        await session.flush()
        assert await ears.all() == []
        await session.commit()
        assert await ears.all() == ["a"]


async def test_a_job_for_an_entity_without_a_key_is_announced_once(
    variant: Variant, ears: Ears
) -> None:
    async with variant.session() as session:
        order = Order()
        session.add(order)
        session.enqueue(ship.options(queue="a"), order)
        await session.commit()
        assert await ears.all() == ["a"]


async def test_a_row_that_the_application_adds_is_announced_once(
    variant: Variant, ears: Ears
) -> None:
    async with variant.session() as session:
        session.add(Job(task="note", queue="a"))
        await session.commit()
        assert await ears.all() == ["a"]


async def test_many_jobs_are_announced_once(variant: Variant, ears: Ears) -> None:
    async with variant.session() as session:
        session.enqueue_many(note.options(queue="a"), [{"number": n} for n in range(100)])
        await session.commit()
        assert await ears.all() == ["a"]
        session.enqueue_many(note.options(queue="a", delay=60), [{"number": 1}, {"number": 2}])
        await session.commit()
        assert await ears.all() == ["@"]
        session.enqueue_many(note.options(queue="a", run_at=LONG_AGO), [{"number": 1}])
        await session.commit()
        assert await ears.all() == ["a"]


async def test_a_job_with_a_delay_is_hinted_at_once(variant: Variant, ears: Ears) -> None:
    async with variant.session() as session:
        session.enqueue(note.options(queue="a", delay=60))
        await session.commit()
        assert await ears.all() == ["@"]


async def test_a_job_without_delay_is_announced_like_any_other(
    variant: Variant, ears: Ears
) -> None:
    async with variant.session() as session:
        session.enqueue(note.options(queue="a", delay=0))
        await session.commit()
        assert await ears.all() == ["a"]


async def test_a_job_that_was_due_already_is_named_although_it_went_in_as_scheduled(
    variant: Variant, ears: Ears
) -> None:
    async with variant.session() as session:
        session.enqueue(note.options(queue="a", run_at=LONG_AGO))
        await session.commit()
        assert await ears.all() == ["@", "a"]
        assert {row.state for row in variant.rows()} == {"queued"}


async def test_what_was_rolled_back_is_announced_neither_then_nor_later(
    variant: Variant, ears: Ears
) -> None:
    async with variant.session() as session:
        session.enqueue(note.options(queue="a"))
        session.enqueue(note.options(queue="b", run_at=LONG_AGO))
        await session.flush()
        await session.rollback()
        session.enqueue(note.options(queue="c"))
        async with session.begin_nested() as savepoint:
            session.enqueue(note.options(queue="d"))
            await session.flush()
            await savepoint.rollback()
        await session.commit()
        assert await ears.all() == ["c"]


@pytest.mark.parametrize("way", ["enqueue", "enqueue_many"])
async def test_a_session_with_two_phases_is_refused_at_the_line(variant: Variant, way: str) -> None:
    async with variant.session(twophase=True) as session:
        with pytest.raises(ConfigurationError) as caught:
            session.enqueue(note) if way == "enqueue" else session.enqueue_many(note, [{}])
        assert list(session.new) == []
    for part in ("two phases", 'notify="trigger"', 'notify="after_commit"', "twophase=True"):
        assert part in str(caught.value)


def test_a_factory_of_sessions_with_two_phases_is_refused_as_well(
    trigger_observer: Engine,
) -> None:
    factory = sessionmaker(trigger_observer, class_=SoniqSession, twophase=True)
    application = Soniq(Base.metadata, sessionmaker=factory)
    with pytest.raises(ConfigurationError, match="two phases"):
        application.enqueue_sync(note, 1)
