import asyncio
from typing import Annotated

from soniq_sa import AsyncSoniqSession, JobContext, Locked, inject
from sqlalchemy import func, select

from shop import Base, Invoice, Order, Session, engine, mail, soniq, tables


# region exactly_once
@soniq.job
async def issue_invoice(order: Order, *, session: AsyncSoniqSession = inject()) -> None:
    session.add(Invoice(order_id=order.id))
    session.enqueue(send_thanks, order.id)


# endregion


# region at_least_once
@soniq.job
async def send_thanks(order_id: int, *, ctx: JobContext = inject()) -> None:
    await mail.send(f"Thank you for order {order_id}", key=str(ctx.job_id))


# endregion


# region locked
@soniq.job
async def add_points(order: Annotated[Order, Locked], points: int) -> None:
    order.points += points


# endregion


async def main() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with Session.begin() as session:
        order = Order()
        session.add(order)
        session.enqueue(issue_invoice, order)
        session.enqueue_many(add_points, [{"order": order, "points": 1}] * 50)
    await soniq.run_worker(run_once=True)
    async with Session() as session:
        assert await session.scalar(select(func.count(Invoice.id))) == 1
        assert await session.scalar(select(Order.points)) == 50
        left = select(func.count()).where(tables.Job.state != "done")
        assert await session.scalar(left) == 0
    assert list(mail.sent.values()) == ["Thank you for order 1"]
    await engine.dispose()


asyncio.run(main())
