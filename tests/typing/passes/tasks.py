"""A task keeps its handler's signature, and options keep the task's."""

from datetime import UTC, datetime, timedelta
from typing import assert_type

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shop import Customer, Order, refund, remind, render, send_invoice, ship
from soniq_sa import AsyncSoniqSession, JobHandle, JobOptions


async def called_directly(order: Order, own: AsyncSession, session: Session) -> None:
    assert_type(await send_invoice(order, copy=True, session=own), str)
    assert_type(render(order, 2, session), bytes)
    assert_type(await ship([order]), int)
    assert_type(remind(1, Customer()), None)


def entities(session: AsyncSoniqSession, order: Order) -> None:
    assert_type(session.enqueue(ship, [order, order], by_code={"a": order}), JobHandle[int])
    assert_type(session.enqueue(refund, order, reason="broken"), JobHandle[None])
    assert_type(session.enqueue(remind, 1, None), JobHandle[None])
    assert_type(session.enqueue(remind, 1, customer=Customer()), JobHandle[None])


def with_options(session: AsyncSoniqSession, order: Order) -> None:
    later = send_invoice.options(queue="billing", priority=10, delay=60)
    assert_type(session.enqueue(later, order, copy=True), JobHandle[str])
    session.enqueue(render.options(delay=timedelta(minutes=1)), order)
    session.enqueue(render.options(run_at=datetime.now(UTC)), order, pages=2)
    chosen: JobOptions = {"priority": 1, "delay": 0.5}
    session.enqueue(render.options(**chosen).options(priority=2), order)


async def options_keep_the_task_callable(order: Order) -> None:
    assert_type(await send_invoice.options(priority=1)(order), str)
    assert_type(render.options(priority=1)(order), bytes)
