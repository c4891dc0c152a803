import asyncio
import logging

from sqlalchemy import select

from shop import Base, Note, Order, Session, engine, label, ship, soniq, tables

Job = tables.Job
EXPECTED = {
    "new": ("done", None, 1),
    "unpaid": ("scheduled", "waiting for the payment", 0),
    "no courier": ("scheduled", None, 1),
    "withdrawn": ("cancelled", "the customer withdrew", 1),
    "no address": ("dead", "discarded", 1),
}


async def main() -> None:
    logging.getLogger("soniq_sa").setLevel(logging.CRITICAL)  # failures are the point
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with Session.begin() as session:
        orders = [Order(status=status) for status in EXPECTED]
        session.add_all(orders)
        handles = [session.enqueue(ship, order) for order in orders]
        discarded = session.enqueue(label, orders[-1])
    await soniq.run_worker(run_once=True)
    async with Session() as session:
        for handle, expected in zip(handles, EXPECTED.values(), strict=True):
            job = await session.get_one(Job, handle.id)
            assert (job.state, job.reason, job.attempts) == expected
        assert (await session.get_one(Job, handles[0].id)).result == 10
        assert (await session.get_one(Job, discarded.id)).reason == "discarded"
        notes = await session.scalars(select(Note.text))
        assert list(notes) == ["shipped in attempt 1"]
    await engine.dispose()


asyncio.run(main())
