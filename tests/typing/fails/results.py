"""A handle is of its handler's result; a row of its columns."""

from shop import Job, Order, async_engine, remind, send_invoice
from soniq_sa import JobHandle, SoniqSession
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker


def wrong_result(session: SoniqSession, order: Order) -> None:
    handle = session.enqueue(send_invoice, order)
    number: JobHandle[int] = handle  # error: expression has type "JobHandle[str]" || "JobHandle[str]" is not assignable to "JobHandle[int]"
    del number
    session.enqueue(remind, 1).state  # error: has no attribute "state" || Cannot access attribute "state"


async def plain_sessions_have_no_method(order: Order) -> None:
    async with async_sessionmaker(async_engine, class_=AsyncSession)() as session:
        session.enqueue(send_invoice, order)  # error: "AsyncSession" has no attribute "enqueue" || Cannot access attribute "enqueue"


async def forgotten_await(order: Order) -> None:
    total: int = send_invoice(order)  # error: Incompatible types in assignment || is not assignable to declared type "int"
    del total


select(Job).where(Job.stat == "queued")  # error: has no attribute "stat" || Cannot access attribute "stat"
