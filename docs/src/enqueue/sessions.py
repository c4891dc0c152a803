import asyncio

from soniq_sa import EnqueueMixin, enqueue
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import scoped_session, sessionmaker

from shop import (
    Order,
    Session,
    SyncSession,
    async_engine,
    create_tables,
    engine,
    issue_invoice,
)

create_tables()


async def asynchronous() -> None:
    # region asynchronous
    async with Session.begin() as session:
        order = Order(total=10)
        session.add(order)
        handle = session.enqueue(issue_invoice, order, copy=True)
    # endregion
    assert handle.name == "shop.issue_invoice"


def synchronous() -> None:
    # region synchronous
    with SyncSession.begin() as session:
        order = Order(total=10)
        session.add(order)
        session.enqueue(issue_invoice, order, copy=True)
    # endregion


def savepoint() -> None:
    # region savepoint
    with SyncSession.begin() as session:
        order = Order(total=10)
        session.add(order)
        session.enqueue(issue_invoice, order)  # stays
        with session.begin_nested() as nested:
            session.enqueue(issue_invoice, order, copy=True)
            nested.rollback()  # takes the second job with it
    # endregion


# region mixin
class ShopSession(EnqueueMixin, AsyncSession):
    """A session class of your own, sync or async."""


# endregion


async def free_function() -> None:
    order = Order(total=10)
    # region function
    async with AsyncSession(async_engine) as session, session.begin():
        session.add(order)
        enqueue(session, issue_invoice, order)
    # endregion
    db_session = scoped_session(sessionmaker(engine))
    db_session.add(order := Order(total=10))
    enqueue(db_session, issue_invoice, order)
    db_session.commit()
    db_session.remove()
    async with ShopSession(async_engine) as own:
        own.add(order := Order(total=10))
        own.enqueue(issue_invoice, order)
        await own.commit()


async def main() -> None:
    await asynchronous()
    await free_function()
    await async_engine.dispose()


asyncio.run(main())
synchronous()
savepoint()
engine.dispose()
