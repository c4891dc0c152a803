import asyncio
import logging
from datetime import timedelta

from soniq_sa import InvalidArgumentsError, UnknownOptionError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from shop import Base, Session, User, deliver_webhook, engine, partner, send_welcome, soniq, tables

Job = tables.Job


async def sign_up(email: str) -> None:
    # region session
    async with Session.begin() as session:
        session.add(User(email=email))
        session.enqueue(send_welcome, email=email)
    # endregion


async def main() -> None:
    logging.getLogger("soniq_sa").setLevel(logging.CRITICAL)  # failures are the point
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)

    await sign_up("ann@example.com")
    try:
        await sign_up("ann@example.com")
    except IntegrityError:
        print("neither the user nor the job")

    # region options
    await soniq.enqueue(send_welcome, email="bob@example.com")
    await soniq.enqueue("users.send_welcome", email="dan@example.com")
    urgent = send_welcome.options(queue="urgent", priority=1, run_at=timedelta(hours=1))
    await soniq.enqueue(urgent, email="cy@example.com")
    # endregion

    subscribers = ["https://a.example.com", "https://b.example.com"]
    # region many
    async with Session.begin() as session:
        session.enqueue_many(
            deliver_webhook,
            [{"url": url, "event": "order.created"} for url in subscribers],
        )
    # endregion

    # region manage
    waiting = select(Job).where(Job.queue == "urgent", Job.state == "scheduled").limit(20)
    async with Session() as session:
        for job in await session.scalars(waiting):
            print(job.id, job.task, job.run_at)
    # endregion
    # region cancel
    await soniq.cancel(job.id, reason="signed out")
    await soniq.delete(job.id)
    # endregion
    assert await soniq.get_job(job.id) is None

    await soniq.run_worker(run_once=True)
    mails = [call[1] for call in partner.calls if call[0] == "/mails"]
    assert sorted(mails) == ["ann@example.com", "bob@example.com", "dan@example.com"]
    assert len(partner.calls) == 5

    for take, options in (
        (soniq.job, {"unique": True}),
        (soniq.job, {"retry_dealy": 5}),
        (send_welcome.options, {"dedup_key": "welcome-7"}),
    ):
        try:
            take(**options)
        except UnknownOptionError as error:
            print(error)
        else:
            raise AssertionError(options)
    try:
        await soniq.enqueue(send_welcome, email=1)
    except InvalidArgumentsError as error:
        print(error)
    else:
        raise AssertionError
    await engine.dispose()


asyncio.run(main())
