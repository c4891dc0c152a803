"""``soniq.enqueue`` and ``soniq.enqueue_sync``: a transaction of its own."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import sessionmaker

from soniq_sa import (
    AsyncSoniqSession,
    ConfigurationError,
    EntityReferenceError,
    InvalidArgumentsError,
    NoDatabaseError,
    Soniq,
    SoniqSession,
)
from tests.session.app import note, ship
from tests.session.models import Base, Order
from tests.session.variants import Variant


def libpq(variant: Variant) -> str:
    """Return the URL of the database without a driver."""
    url = variant.sync_engine.url.set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


ASYNC: dict[str, Any] = {
    "engine": lambda variant: {"engine": variant.engine},
    "sessionmaker": lambda variant: {"sessionmaker": async_sessionmaker(variant.engine)},
    "own sessionmaker": lambda variant: {
        "sessionmaker": async_sessionmaker(variant.engine, class_=AsyncSoniqSession)
    },
    "URL": lambda variant: {"database_url": libpq(variant)},
}


@pytest.mark.parametrize("how", ASYNC)
async def test_a_job_is_committed_on_return(asyncpg: Variant, how: str) -> None:
    soniq = Soniq(Base.metadata, **ASYNC[how](asyncpg))
    for number in range(2):
        handle = await soniq.enqueue(note.options(priority=7), str(number))
        assert asyncpg.rows()[number].id == handle.id
        assert (handle.name, handle.row) == ("note", None)
    assert {row.priority for row in asyncpg.rows()} == {7}
    await soniq.databases.dispose()


async def test_many_jobs_are_committed_on_return(asyncpg: Variant) -> None:
    soniq = Soniq(Base.metadata, engine=asyncpg.engine)
    handles = await soniq.enqueue_many(note.options(priority=7), [{"text": "a"}, {"text": "b"}])
    assert [row.id for row in asyncpg.rows()] == [handle.id for handle in handles]
    assert [(row.args, row.priority) for row in asyncpg.rows()] == [
        ({"text": "a"}, 7),
        ({"text": "b"}, 7),
    ]
    with pytest.raises(InvalidArgumentsError):
        await soniq.enqueue_many(note, [{"text": "c"}, {"text": 1}])
    assert len(asyncpg.rows()) == 2
    assert await soniq.enqueue_many(note, []) == []


@pytest.mark.parametrize("given", ["engine", "URL"])
def test_many_jobs_are_committed_without_a_loop(psycopg: Variant, given: str) -> None:
    how: dict[str, Any] = {"engine": {"engine": psycopg.engine}}
    soniq = Soniq(Base.metadata, **how.get(given, {"database_url": libpq(psycopg)}))
    handles = soniq.enqueue_many_sync(note, [{"text": "a"}, {"text": "b"}])
    assert [row.id for row in psycopg.rows()] == [handle.id for handle in handles]


async def test_a_sync_engine_does_for_await(psycopg: Variant) -> None:
    soniq = Soniq(Base.metadata, engine=psycopg.engine)
    await soniq.enqueue(note, "a")
    assert psycopg.jobs() == [("note", {"text": "a"})]
    await soniq.databases.dispose()


async def test_the_url_comes_from_the_settings(
    asyncpg: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    soniq = Soniq(Base.metadata)
    monkeypatch.setenv("SONIQ_SA_DATABASE_URL", libpq(asyncpg))
    await soniq.enqueue(note, "a")
    assert asyncpg.jobs() == [("note", {"text": "a"})]
    await soniq.databases.dispose()


SYNC: dict[str, Any] = {
    "sync engine": lambda sync, _: {"engine": sync.engine},
    "sync sessionmaker": lambda sync, _: {"sessionmaker": sessionmaker(sync.engine)},
    "own sessionmaker": lambda sync, _: {
        "sessionmaker": sessionmaker(sync.engine, class_=SoniqSession)
    },
    "async engine": lambda _, other: {"engine": other.engine},
    "async sessionmaker": lambda _, other: {"sessionmaker": async_sessionmaker(other.engine)},
    "URL": lambda sync, _: {"database_url": libpq(sync)},
    "URL with a driver": lambda sync, _: {
        "database_url": libpq(sync).replace("postgresql:", "postgresql+psycopg2:")
    },
    "old URL": lambda sync, _: {"database_url": libpq(sync).replace("postgresql:", "postgres:")},
}


@pytest.mark.parametrize("how", SYNC)
def test_a_script_enqueues_without_a_loop(psycopg: Variant, asyncpg: Variant, how: str) -> None:
    soniq = Soniq(Base.metadata, **SYNC[how](psycopg, asyncpg))
    for number in range(2):
        handle = soniq.enqueue_sync(note.options(delay=60), str(number))
        assert psycopg.rows()[number].id == handle.id
        assert (handle.name, handle.row) == ("note", None)
    assert {row.state for row in psycopg.rows()} == {"scheduled"}


async def test_a_loop_that_runs_is_told_to_await(asyncpg: Variant) -> None:
    soniq = Soniq(Base.metadata, engine=asyncpg.engine)
    with pytest.raises(ConfigurationError, match=r"Write: await soniq\.enqueue"):
        soniq.enqueue_sync(note, "a")
    assert asyncpg.jobs() == []


async def test_a_sync_engine_does_inside_a_loop(psycopg: Variant) -> None:
    Soniq(Base.metadata, engine=psycopg.engine).enqueue_sync(note, "a")
    assert psycopg.jobs() == [("note", {"text": "a"})]


def test_no_database_is_named(psycopg: Variant) -> None:
    assert psycopg.jobs() == []
    with pytest.raises(NoDatabaseError, match="Set SONIQ_SA_DATABASE_URL"):
        Soniq(Base.metadata).enqueue_sync(note, "a")


@pytest.mark.parametrize("url", ["mysql://u@h/d", "nonsense", "sqlite:///x"])
def test_a_url_that_is_not_for_postgresql_is_refused(url: str) -> None:
    with pytest.raises(NoDatabaseError, match="postgresql://user:password@host"):
        Soniq(Base.metadata, database_url=url).enqueue_sync(note, "a")


async def test_bad_arguments_are_refused(asyncpg: Variant) -> None:
    soniq = Soniq(Base.metadata, engine=asyncpg.engine)
    with pytest.raises(InvalidArgumentsError):
        await soniq.enqueue(note, 1)  # type: ignore[arg-type] # the point
    assert asyncpg.jobs() == []


async def test_an_entity_of_an_open_transaction_is_refused(variant: Variant) -> None:
    soniq = Soniq(Base.metadata, engine=variant.engine)
    async with variant.session(expire_on_commit=False) as session:
        order = Order()
        session.add(order)
        await session.flush()
        with pytest.raises(EntityReferenceError, match="a session with an open transaction"):
            await soniq.enqueue(ship, order)
        if not variant.is_async:
            with pytest.raises(EntityReferenceError, match="a session with an open transaction"):
                soniq.enqueue_sync(ship, order)
        assert variant.jobs() == []
        await session.commit()
        await session.close()
    await soniq.enqueue(ship, order)
    assert variant.jobs() == [("ship", {"order": order.id})]
    await soniq.databases.dispose()


async def test_an_entity_that_is_in_no_session_and_no_table_is_refused(variant: Variant) -> None:
    soniq = Soniq(Base.metadata, engine=variant.engine)
    with pytest.raises(EntityReferenceError):
        await soniq.enqueue(ship, Order())
    assert variant.jobs() == []
    assert variant.rows("SELECT * FROM orders") == []
    await soniq.databases.dispose()


async def test_a_committed_entity_may_still_be_in_its_session(variant: Variant) -> None:
    soniq = Soniq(Base.metadata, engine=variant.engine)
    async with variant.session(expire_on_commit=False) as session:
        order = Order()
        session.add(order)
        await session.commit()
        await soniq.enqueue(ship, order)
    assert variant.jobs() == [("ship", {"order": order.id})]
    await soniq.databases.dispose()
