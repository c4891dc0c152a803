"""``enqueue`` takes every kind of session that SQLAlchemy and its friends have."""

from __future__ import annotations

import asyncio
from typing import Any

import flask
import flask_sqlalchemy
import pytest
import sqlmodel
import sqlmodel.ext.asyncio.session
from sqlalchemy import select
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_object_session,
    async_scoped_session,
    async_sessionmaker,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from soniq_sa import (
    AsyncSoniqSession,
    EnqueueMixin,
    SessionTypeError,
    SoniqSession,
    enqueue,
    enqueue_many,
)
from tests.session.app import note, ship
from tests.session.models import Base, Job, Order
from tests.session.variants import Variant


class OwnSession(EnqueueMixin, Session):
    """A session class of the user."""


class OwnAsyncSession(EnqueueMixin, AsyncSession):
    """An async session class of the user, over the plain ``Session``."""


class LastAsyncSession(AsyncSession, EnqueueMixin):
    """The same with the mixin behind."""


SYNC = {
    "Session": Session,
    "SoniqSession": SoniqSession,
    "own class": OwnSession,
    "sessionmaker": lambda engine: sessionmaker(engine, class_=SoniqSession)(),
    "scoped_session": lambda engine: scoped_session(sessionmaker(engine)),
    "scoped SoniqSession": lambda engine: scoped_session(sessionmaker(engine, class_=SoniqSession)),
    "SQLModel": sqlmodel.Session,
}


@pytest.mark.parametrize("make", SYNC.values(), ids=SYNC)
def test_every_sync_session(psycopg: Variant, make: Any) -> None:
    session = make(psycopg.engine)
    order = Order()
    session.add(order)
    handle = enqueue(session, ship, order)
    enqueue_many(session, note, [{"text": "a"}])
    session.commit()
    assert sorted(psycopg.jobs(), key=str) == sorted(
        [("ship", {"order": order.id}), ("note", {"text": "a"})], key=str
    )
    assert session.get(Job, handle.id) is handle.row
    enqueue(session, note, "b")
    session.rollback()
    session.close()
    assert len(psycopg.jobs()) == 2


ASYNC = {
    "AsyncSession": AsyncSession,
    "AsyncSoniqSession": AsyncSoniqSession,
    "own class": OwnAsyncSession,
    "own class, mixin behind": LastAsyncSession,
    "own sync class": lambda engine: AsyncSession(engine, sync_session_class=OwnSession),
    "async_sessionmaker": lambda engine: async_sessionmaker(engine, class_=AsyncSoniqSession)(),
    "async_scoped_session": lambda engine: async_scoped_session(
        async_sessionmaker(engine), asyncio.current_task
    ),
    "SQLModel": sqlmodel.ext.asyncio.session.AsyncSession,
}


@pytest.mark.parametrize("make", ASYNC.values(), ids=ASYNC)
async def test_every_async_session(asyncpg: Variant, make: Any) -> None:
    session = make(asyncpg.engine)
    order = Order()
    session.add(order)
    handle = enqueue(session, ship, order)
    enqueue_many(session, note, [{"text": "a"}])
    await session.commit()
    await session.refresh(order)
    assert sorted(asyncpg.jobs(), key=str) == sorted(
        [("ship", {"order": order.id}), ("note", {"text": "a"})], key=str
    )
    assert await session.get(Job, handle.id) is handle.row
    enqueue(session, note, "b")
    await session.rollback()
    await session.close()
    assert len(asyncpg.jobs()) == 2


@pytest.mark.parametrize("kind", [OwnSession, SoniqSession])
def test_a_session_class_has_the_methods(psycopg: Variant, kind: Any) -> None:
    with kind(psycopg.engine) as session, session.begin():
        session.enqueue(note, "a")
        session.enqueue_many(note, [{"text": "b"}])
    assert len(psycopg.jobs()) == 2


@pytest.mark.parametrize("kind", [OwnAsyncSession, LastAsyncSession, AsyncSoniqSession])
async def test_an_async_session_class_has_the_methods(asyncpg: Variant, kind: Any) -> None:
    async with kind(asyncpg.engine) as session, session.begin():
        session.enqueue(note, "a")
        session.enqueue_many(note, [{"text": "b"}])
    assert len(asyncpg.jobs()) == 2


async def test_run_sync_gives_a_session_with_the_methods(asyncpg: Variant) -> None:
    async with AsyncSoniqSession(asyncpg.engine) as session:
        await session.run_sync(lambda inner: inner.enqueue(note, "a"))
        await session.commit()
    assert asyncpg.jobs() == [("note", {"text": "a"})]


async def test_the_row_belongs_to_the_async_session(asyncpg: Variant) -> None:
    async with AsyncSoniqSession(asyncpg.engine) as session:
        assert async_object_session(session.enqueue(note, "a").row) is session


def test_flask_sqlalchemy(psycopg: Variant) -> None:
    web = flask.Flask("shop")
    web.config["SQLALCHEMY_DATABASE_URI"] = psycopg.engine.url
    db = flask_sqlalchemy.SQLAlchemy(metadata=Base.metadata)
    db.init_app(web)
    with web.app_context():
        order = Order()
        db.session.add(order)
        enqueue(db.session, ship, order)
        enqueue_many(db.session, note, [{"text": "a"}])
        db.session.commit()
        enqueue(db.session, note, "b")
        db.session.rollback()
        db.engine.dispose()
    assert [task for task, _ in psycopg.jobs()] == ["ship", "note"]


def test_flask_sqlalchemy_with_the_methods(psycopg: Variant) -> None:
    class FlaskSession(EnqueueMixin, flask_sqlalchemy.session.Session):
        """A session class of the user."""

    web = flask.Flask("shop")
    web.config["SQLALCHEMY_DATABASE_URI"] = psycopg.engine.url
    db = flask_sqlalchemy.SQLAlchemy(
        metadata=Base.metadata, session_options={"class_": FlaskSession}
    )
    db.init_app(web)
    with web.app_context():
        db.session().enqueue(note, "a")
        db.session.commit()
        db.engine.dispose()
    assert psycopg.jobs() == [("note", {"text": "a"})]


@pytest.mark.parametrize("wrong", ["engine", "connection", "maker", "async maker", "None"])
@pytest.mark.parametrize("function", [enqueue, enqueue_many])
def test_what_is_no_session_is_refused(psycopg: Variant, wrong: str, function: Any) -> None:
    with psycopg.engine.connect() as connection:
        things = {
            "engine": psycopg.engine,
            "connection": connection,
            "maker": sessionmaker(psycopg.engine),
            "async maker": async_sessionmaker(),
            "None": None,
        }
        with pytest.raises(SessionTypeError, match=type(things[wrong]).__name__) as error:
            function(things[wrong], note, [])
    assert isinstance(error.value, TypeError)
    assert "session.enqueue(task, ...)" in str(error.value)


def test_a_session_on_a_connection_of_the_user(psycopg: Variant) -> None:
    with psycopg.engine.connect() as connection, connection.begin() as transaction:
        with SoniqSession(connection, join_transaction_mode="create_savepoint") as session:
            session.enqueue(note, "a")
            session.commit()
        assert psycopg.jobs() == []
        transaction.rollback()
    with psycopg.engine.begin() as connection, SoniqSession(connection) as session:
        session.enqueue(note, "b")
        session.commit()
    assert psycopg.jobs() == [("note", {"text": "b"})]


def test_a_session_with_a_bind_for_each_class(psycopg: Variant) -> None:
    with SoniqSession(binds={Base: psycopg.engine}) as session, session.begin():
        order = Order()
        session.add(order)
        session.enqueue(ship.options(delay=1), order)
        session.enqueue_many(note, [{"text": "a"}])
    assert len(psycopg.jobs()) == 2


async def test_the_tables_of_a_tenant_are_those_of_its_schema(variant: Variant) -> None:
    tables = ("orders", "soniq_jobs")
    with variant.observer.connect() as connection:
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS tenant CASCADE; CREATE SCHEMA tenant")
        for table in tables:
            connection.exec_driver_sql(
                f"CREATE TABLE tenant.{table} (LIKE public.{table} INCLUDING ALL)"
            )
    session = variant.session()
    session.sync_session.bind = variant.sync_engine.execution_options(
        schema_translate_map={None: "tenant"}
    )
    async with session:
        order = Order()
        session.add(order)
        session.enqueue(ship.options(delay=1), order)
        session.enqueue_many(note, [{"text": "a"}])
        session.enqueue_many(ship, [{"order": order}])
        await session.commit()
        assert len((await session.scalars(select(Job.id))).all()) == 3
    assert variant.jobs() == []
    assert len(variant.rows("SELECT * FROM tenant.soniq_jobs")) == 3
