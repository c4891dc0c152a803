import asyncio
import logging
from datetime import UTC, date, datetime, timedelta

from soniq_sa import JobState, Priority, UnknownOptionError
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from shop import (
    Base,
    Job,
    Order,
    Period,
    Session,
    charge,
    engine,
    greet,
    make_report,
    send_email,
    sent,
    soniq,
)


def work() -> None:
    asyncio.run(soniq.run_worker(run_once=True))


def enqueue() -> None:
    # region enqueue
    soniq.enqueue_sync(send_email, "ann@example.com", subject="hello")

    with Session.begin() as session:
        order = Order(total=10)
        session.add(order)
        tomorrow = send_email.options(run_at=datetime.now(UTC) + timedelta(days=1))
        session.enqueue(tomorrow, "ann@example.com", "how was it?")
        session.enqueue(greet.options(priority=Priority.HIGH), "World")
    # endregion
    work()
    assert sent == ["ann@example.com: hello"]


def know_by_client_id() -> None:
    # region client
    with Session.begin() as session:
        session.enqueue(send_email.options(columns={"client_id": "order-7"}), "a@b.com", "paid")

    try:
        with Session.begin() as session:
            session.enqueue(send_email.options(columns={"client_id": "order-7"}), "a@b.com", "paid")
    except IntegrityError:
        print("order-7 has its mail")

    with Session() as session:
        job = session.scalars(select(Job).where(Job.client_id == "order-7")).one()
    # endregion
    assert job.state == JobState.QUEUED
    work()


def look() -> None:
    for order_id in ("1", "2"):
        soniq.enqueue_sync(charge.options(columns={"client_id": order_id}), int(order_id))
    work()
    # region look
    pending = select(func.count()).where(Job.state.in_([JobState.SCHEDULED, JobState.QUEUED]))
    completed = select(Job).where(Job.state == JobState.DONE).limit(100)
    with Session.begin() as session:
        print(session.scalar(pending), [job.task for job in session.scalars(completed)])
        desk = soniq.dead_letters.within(session)
        for letter in desk.list(limit=100):
            print(letter.id, letter.task, letter.error)
        desk.replay(letter.id)
        desk.purge(older_than=timedelta(days=7))
    # endregion
    with Session.begin() as session:
        assert session.scalar(pending) == 2
        job_id = session.scalars(select(Job.id).where(Job.state == JobState.SCHEDULED)).one()
        # region cancel
        soniq.control.cancel(session, job_id, reason="no longer wanted")
        # endregion
    with Session() as session:
        assert session.get_one(Job, job_id).state == JobState.CANCELLED


def pass_a_model() -> None:
    # region model
    period = Period(first=date(2026, 1, 1), last=date(2026, 1, 31))
    handle = soniq.enqueue_sync(make_report, period)
    # endregion
    work()
    with Session() as session:
        assert session.get_one(Job, handle.id).result == 30


def main() -> None:
    logging.getLogger("soniq_sa").setLevel(logging.CRITICAL)  # failures are the point
    Base.metadata.create_all(engine)
    enqueue()
    know_by_client_id()
    look()
    pass_a_model()
    try:
        send_email.options(client_id="order-7")
    except UnknownOptionError as error:
        print(error)
    else:
        raise AssertionError
    engine.dispose()


main()
