import asyncio
import warnings
from datetime import timedelta

from soniq_sa import InvalidArgumentsError, UnknownTaskError, UnknownTaskWarning

import jobs
from shop import Base, Order, Session, engine, lenient, remind, send_invoice, soniq

reminded: list[int] = []


@jobs.soniq.job(name="billing.remind", queue="billing")
async def remind_here(order: int, days: int = 14) -> str:
    reminded.append(order)
    return f"in {days} days"


async def place_order() -> None:
    # region enqueue
    async with Session.begin() as session:
        order = Order()
        session.add(order)
        await session.flush()
        session.enqueue(send_invoice, order_id=order.id)
    # endregion
    try:
        await soniq.enqueue(send_invoice, order_id=0)
    except InvalidArgumentsError as error:
        print(error)
    else:
        raise AssertionError("taken")


async def main() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await place_order()
    async with Session.begin() as session:
        order = Order()
        session.add(order)
        # region stub
        handle = session.enqueue(remind, order, days=7)
        # endregion
    waiting = await soniq.schedule(send_invoice, timedelta(days=1), order_id=9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownTaskWarning)
        # region name
        await lenient.enqueue("billing.send_invoice", order_id=3, copies=2)
        # endregion
    try:
        await soniq.enqueue("billing.sent_invoice", order_id=3)
    except UnknownTaskError as error:
        print(error)
    else:
        raise AssertionError("taken")

    await jobs.soniq.run_worker(run_once=True)
    assert sorted(jobs.sent) == [(1, 1), (3, 2)]
    assert reminded == [2]
    # region result
    text = await handle.result(timeout=30)
    # endregion
    assert text == "in 7 days"
    assert await waiting.status() == "scheduled"
    await jobs.engine.dispose()
    await engine.dispose()


asyncio.run(main())
