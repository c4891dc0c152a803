import asyncio
from datetime import timedelta

from soniq_sa import JobState, SoniqSession
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import sessionmaker

from shop import Base, Order, Session, api, engine, notify, render, send_email, soniq, tables

Job = tables.Job
sync_engine = create_engine(str(engine.url.set(drivername="postgresql+psycopg")))
SyncSession = sessionmaker(sync_engine, class_=SoniqSession)


def in_a_view() -> None:
    # region synchronous
    with SyncSession.begin() as session:
        session.add(Order(total=10))
        session.enqueue(send_email, to="bob@example.com")
    # endregion


async def main() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    # region enqueue
    async with Session.begin() as session:
        session.add(Order(total=10))
        session.enqueue(send_email, to="ann@example.com", subject="your order")
        later = send_email.options(delay=timedelta(minutes=1), priority=10)
        session.enqueue(later, to="ann@example.com", subject="how was it?")
        session.enqueue_many(render, [{"number": number} for number in range(20)])
    # endregion
    await asyncio.to_thread(in_a_view)
    await soniq.enqueue(notify, "sms", "hello")

    # region size
    size = select(Job.task, Job.state, func.count()).group_by(Job.task, Job.state)
    async with Session() as session:
        for task, state, count in await session.execute(size):
            print(task, state, count)
    # endregion
    async with Session() as session:
        counted = {(row[0], row[1]): row[2] for row in await session.execute(size)}
    assert counted == {
        ("send_email", JobState.QUEUED): 2,
        ("send_email", JobState.SCHEDULED): 1,
        ("shop.render", JobState.QUEUED): 20,
        ("shop.notify", JobState.QUEUED): 1,
    }, counted

    await soniq.run_worker(run_once=True)
    assert sorted(api.calls) == [
        ("mail", "ann@example.com", "your order"),
        ("mail", "bob@example.com", "hello"),
        ("sms", "hello"),
    ]
    await engine.dispose()
    sync_engine.dispose()


asyncio.run(main())
