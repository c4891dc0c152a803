"""A reference has the arguments of its model, or the signature of its stub."""

from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from shop import Base, Order, refund, remind, send_invoice, soniq
from soniq_sa import (
    AsyncSoniqSession,
    JobHandle,
    Soniq,
    SoniqSession,
    TaskRef,
    enqueue,
    enqueue_many,
)


class InvoiceArgs(BaseModel):
    order_id: int
    copies: int = 1
    note: str = Field(default="", alias="memo")


by_model = soniq.ref("billing.send_invoice", InvoiceArgs, queue="billing")
by_name = soniq.ref("billing.send_invoice")
lenient = Soniq(Base.metadata, unknown_tasks="warn")


@soniq.stub(name="billing.remind", queue="billing")
async def billing_remind(order: Order, *, copy: bool = False) -> str:
    raise NotImplementedError


@soniq.stub(name="billing.count")
def billing_count(numbers: list[int]) -> int:
    raise NotImplementedError


@soniq.job(name="billing.send", args_model=InvoiceArgs)
async def send(order_id: int, copies: int = 1, note: str = "") -> None: ...


def in_a_session(session: SoniqSession, asynchronous: AsyncSoniqSession, order: Order) -> None:
    assert_type(session.enqueue(by_model, order_id=3), JobHandle[Any])
    assert_type(session.enqueue(by_model, order_id=3, copies=2, memo="x"), JobHandle[Any])
    assert_type(asynchronous.enqueue(billing_remind, order, copy=True), JobHandle[str])
    assert_type(session.enqueue(billing_count, [1, 2]), JobHandle[int])
    assert_type(session.enqueue(by_name, 1, anything="goes"), JobHandle[Any])
    assert_type(session.enqueue_many(billing_count, [{"numbers": [1]}]), list[JobHandle[int]])


def by_the_functions(session: Session, order: Order) -> None:
    assert_type(enqueue(session, billing_remind, order), JobHandle[str])
    assert_type(enqueue(session, by_model.options(priority=1), order_id=3), JobHandle[Any])
    assert_type(enqueue_many(session, by_model, [{"order_id": 3}]), list[JobHandle[Any]])


async def on_the_application(order: Order, name: str) -> None:
    assert_type(await soniq.enqueue(by_model, order_id=3), JobHandle[Any])
    assert_type(await soniq.enqueue(billing_remind, order), JobHandle[str])
    assert_type(await soniq.enqueue("billing.count", numbers=[1, 2]), JobHandle[Any])
    assert_type(await soniq.enqueue(name), JobHandle[Any])
    assert_type(await soniq.enqueue(send_invoice, order, copy=True), JobHandle[str])
    assert_type(soniq.enqueue_sync("billing.count", numbers=[1, 2]), JobHandle[Any])
    assert_type(soniq.enqueue_sync(billing_count, [1]), JobHandle[int])


async def at_a_time(order: Order) -> None:
    assert_type(await soniq.schedule(send_invoice, 60, order, copy=True), JobHandle[str])
    assert_type(await soniq.schedule(refund, datetime.now(UTC), order=order), JobHandle[None])
    assert_type(await soniq.schedule(billing_count, timedelta(days=1), [1]), JobHandle[int])
    assert_type(await soniq.schedule(by_model, 1.5, order_id=3), JobHandle[Any])
    assert_type(await soniq.schedule("billing.count", 60, numbers=[]), JobHandle[Any])


def a_task_is_a_reference(session: SoniqSession, task: TaskRef[[int], None]) -> None:
    session.enqueue(task, 1)


def give(session: SoniqSession) -> None:
    a_task_is_a_reference(session, billing_reminder)


@soniq.job
def billing_reminder(user_id: int, /) -> None:
    remind(user_id)
