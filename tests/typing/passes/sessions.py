"""Every kind of session enqueues, and the handle carries the handler's result type."""

from typing import assert_type

from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from shop import Base, Order, async_engine, engine, remind, render, send_invoice
from soniq_sa import (
    AsyncSoniqSession,
    EnqueueMixin,
    JobHandle,
    Soniq,
    SoniqSession,
    enqueue,
    enqueue_many,
)


class AppSession(EnqueueMixin, Session):
    """A session class of the application's own."""


class AppAsyncSession(EnqueueMixin, AsyncSession):
    """Its asynchronous twin."""


Sessions = sessionmaker(engine, class_=SoniqSession)
AsyncSessions = async_sessionmaker(async_engine, class_=AsyncSoniqSession)
AppSessions = sessionmaker(engine, class_=AppSession)
AppAsyncSessions = async_sessionmaker(async_engine, class_=AppAsyncSession)


def synchronous(order: Order) -> None:
    with Sessions.begin() as session:
        assert_type(session.enqueue(send_invoice, order), JobHandle[str])
        assert_type(session.enqueue(render, order, pages=2), JobHandle[bytes])
    with AppSessions() as session:
        assert_type(session.enqueue(remind, 1), JobHandle[None])
    with SoniqSession(engine) as session:
        assert_type(session.enqueue(remind, user_id=1), JobHandle[None])


async def asynchronous(order: Order) -> None:
    async with AsyncSessions.begin() as session:
        assert_type(session.enqueue(send_invoice, order=order, copy=True), JobHandle[str])
        assert_type(session.enqueue(render, order), JobHandle[bytes])
    async with AppAsyncSessions() as session:
        assert_type(session.enqueue(remind, 1), JobHandle[None])


def plain(
    session: Session,
    async_session: AsyncSession,
    scoped: scoped_session[Session],
    async_scoped: async_scoped_session[AsyncSession],
    order: Order,
) -> None:
    assert_type(enqueue(session, send_invoice, order), JobHandle[str])
    assert_type(enqueue(async_session, render, order, 2), JobHandle[bytes])
    assert_type(enqueue(scoped, remind, 1), JobHandle[None])
    assert_type(enqueue(async_scoped, send_invoice, order, copy=True), JobHandle[str])


async def own_transaction(soniq: Soniq, order: Order) -> None:
    assert_type(await soniq.enqueue(send_invoice, order, copy=True), JobHandle[str])
    assert_type(soniq.enqueue_sync(render, order, pages=3), JobHandle[bytes])
    soniq.create_all(engine)
    await soniq.create_all(async_engine)


def many(session: Session) -> None:
    rows = [{"user_id": 1}, {"user_id": 2}]
    assert_type(enqueue_many(session, remind, rows), list[JobHandle[None]])
    with Sessions.begin() as own:
        assert_type(own.enqueue_many(remind, rows), list[JobHandle[None]])
        own.enqueue_many(remind.options(queue="mail"), ({"user_id": n} for n in range(3)))


Soniq(Base.metadata, engine=async_engine, sessionmaker=AsyncSessions, queues=("billing",))
Soniq(Base.metadata, database_url="postgresql://localhost/shop")
