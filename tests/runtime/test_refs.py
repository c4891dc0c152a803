"""Another service enqueues for the tasks of this one, over the same tables, without their code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from soniq_sa import (
    AsyncSoniqSession,
    JobDeadError,
    JobHandle,
    Soniq,
    TaskDefinitionError,
    TaskRef,
    Worker,
)
from soniq_sa.engines import make_async_engine
from soniq_sa.models import include_tables
from tests.runtime.bench import Bench
from tests.runtime.models import Order


class ShopBase(DeclarativeBase):
    """The base of the other service."""


class ShopOrder(ShopBase):
    """What the other service calls the same row."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int] = mapped_column(default=0)


include_tables(ShopBase.metadata)


class SendArgs(BaseModel):
    """What the other service knows of the arguments."""

    user: UUID
    at: datetime
    amount: Decimal = Decimal("1.10")
    days: list[int] = []


@dataclass
class Sent:
    """What the handler returns."""

    user: UUID
    at: datetime


USER, AT = UUID(int=7), datetime(2026, 1, 1, tzinfo=UTC)
GIVEN = {"user": USER, "at": AT}
JSON = {"user": str(USER), "at": AT.isoformat()}


@pytest.fixture
async def shop(bench: Bench) -> AsyncIterator[Soniq]:
    """Return the other service."""
    engine = make_async_engine(bench.url)
    sessions = async_sessionmaker(engine, class_=AsyncSoniqSession)
    yield Soniq(ShopBase.metadata, sessionmaker=sessions, unknown_tasks="none")
    await engine.dispose()


def billing(bench: Bench) -> list[tuple[Any, ...]]:
    """Register the task; return what its handler is called with."""
    called: list[tuple[Any, ...]] = []

    @bench.soniq.job(name="billing.send", queue="billing")
    async def send(
        user: UUID, at: datetime, amount: Decimal = Decimal(0), days: list[int] | None = None
    ) -> Sent:
        called.append((user, at, amount, days))
        return Sent(user, at)

    return called


def stub(shop: Soniq) -> TaskRef[..., Sent]:
    """Return what the other service writes down of the task."""

    @shop.stub(name="billing.send", queue="billing")
    async def send(user: UUID, at: datetime) -> Sent:
        raise NotImplementedError

    return send


async def test_a_job_by_a_model_runs_with_what_the_model_made_of_the_arguments(
    bench: Bench, shop: Soniq
) -> None:
    called = billing(bench)
    send = shop.ref("billing.send", SendArgs, queue="billing")
    handle = await shop.enqueue(send, user=USER, at=AT, days=[1])
    await bench.run_once()
    assert called == [(USER, AT, Decimal("1.10"), [1])]
    assert await handle.result(timeout=10) == {"user": str(USER), "at": "2026-01-01T00:00:00Z"}


async def test_a_job_by_a_stub_runs_and_its_result_has_the_type_that_the_stub_tells(
    bench: Bench, shop: Soniq
) -> None:
    called = billing(bench)
    handle = await shop.enqueue(stub(shop), USER, AT)
    await bench.run_once()
    assert called == [(USER, AT, Decimal(0), None)]
    assert await handle.result(timeout=10) == Sent(USER, AT)
    found = await shop.get_job(handle.id)
    assert found is not None
    assert found.result == Sent(USER, AT)


async def test_a_job_by_name_alone_runs_with_the_types_of_the_handler(
    bench: Bench, shop: Soniq
) -> None:
    called = billing(bench)
    handle = await shop.enqueue("billing.send", **JSON)
    scheduled = await shop.schedule("billing.send", 0, **JSON)
    await bench.run_once()
    assert called == [(USER, AT, Decimal(0), None)] * 2
    assert await handle.result(timeout=10) == {"user": str(USER), "at": "2026-01-01T00:00:00Z"}
    assert await scheduled.status() == "done"


async def test_jobs_in_a_session_of_the_other_service_run(bench: Bench, shop: Soniq) -> None:
    called = billing(bench)
    async with shop.databases.async_sessions() as session, session.begin():
        session.enqueue(stub(shop), USER, AT)
        session.enqueue(shop.ref("billing.send", SendArgs), **GIVEN)
        session.enqueue_many(shop.ref("billing.send"), [GIVEN])  # the stub tells the types
    await bench.run_once()
    assert [one[:2] for one in called] == [(USER, AT)] * 3


async def test_an_entity_of_a_stub_is_loaded_by_the_service_that_runs_it(
    bench: Bench, shop: Soniq
) -> None:
    totals: list[Any] = []

    @bench.task(name="billing.bill")
    async def bill(order: Order) -> int:
        totals.append((type(order), order.total))
        return order.total

    @shop.stub(name="billing.bill")
    async def order_bill(order: ShopOrder) -> int:
        raise NotImplementedError

    async with shop.databases.async_sessions() as session, session.begin():
        order = ShopOrder(total=12)
        session.add(order)
        handle: JobHandle[int] = session.enqueue(order_bill, order)
    await bench.run_once()
    assert totals == [(Order, 12)]
    assert await handle.result(timeout=10) == 12


async def test_a_job_for_a_task_that_no_worker_has_waits_until_one_has_it(
    bench: Bench, shop: Soniq
) -> None:
    handle = await shop.enqueue("billing.send", **JSON)
    await bench.run_once()
    await Worker(shop, run_once=True).run()
    row = await bench.row(handle)
    assert (row.state, row.attempts, row.claims) == ("queued", 0, 0)
    called = billing(bench)
    await bench.run_once()
    assert len(called) == 1


async def test_a_job_by_name_whose_arguments_do_not_fit_is_dead_and_its_replay_too(
    bench: Bench, shop: Soniq
) -> None:
    called = billing(bench)
    handle = await shop.enqueue("billing.send", user="Ann", at=AT.isoformat())
    await bench.run_once()
    with pytest.raises(JobDeadError, match=r"(?s)invalid arguments.*'user': .*valid UUID"):
        await handle.result(timeout=10)
    again = await shop.dead_letters.replay(handle.id)
    await bench.run_once()
    row = await bench.row(again)
    assert (row.task, row.state, row.reason) == ("billing.send", "dead", "invalid arguments")
    assert not called


@pytest.mark.parametrize("how", ["model", "stub", "name"])
async def test_a_dead_letter_of_another_service_is_replayed_with_its_arguments(
    bench: Bench, shop: Soniq, how: str
) -> None:
    called: list[Any] = []

    @bench.soniq.job(name="billing.send", retries=0)
    async def send(
        user: UUID, at: datetime, amount: Decimal | None = None, days: Any = None
    ) -> Sent:
        del amount, days
        called.append((user, at))
        if len(called) == 1:
            raise ValueError("the first time")
        return Sent(user, at)

    match how:
        case "model":
            handle = await shop.enqueue(shop.ref("billing.send", SendArgs, retries=0), **GIVEN)
        case "stub":
            handle = await shop.enqueue(stub(shop).options(retries=0), **GIVEN)
        case _:
            handle = await shop.enqueue(shop.ref("billing.send", retries=0), **JSON)
    await bench.run_once()
    assert await handle.status() == "dead"
    again = await shop.dead_letters.replay(handle.id)
    await bench.run_once()
    assert (await bench.row(again)).state == "done"
    assert called == [(USER, AT)] * 2


async def test_a_result_is_read_by_the_task_where_it_is_registered(bench: Bench) -> None:
    billing(bench)
    handle = await bench.soniq.enqueue("billing.send", user=USER, at=AT)
    async with bench.sessions.begin() as session:
        other = session.enqueue(bench.soniq.ref("billing.send", SendArgs), **GIVEN)
    await bench.run_once()
    assert await handle.result(timeout=10) == Sent(USER, AT)
    assert await other.result(timeout=10) == Sent(USER, AT)


async def test_a_worker_does_not_start_with_a_stub_that_differs_from_its_task(bench: Bench) -> None:
    billing(bench)

    @bench.soniq.stub(name="billing.send")
    async def send(user: str, at: datetime) -> Sent:
        raise NotImplementedError

    with pytest.raises(TaskDefinitionError, match=r"The stub billing\.send in .*'user'"):
        await bench.run_once()


async def test_a_later_time_is_kept(bench: Bench, shop: Soniq) -> None:
    handle = await shop.schedule(stub(shop), timedelta(hours=1), USER, AT)
    row = await bench.row(handle)
    assert (row.state, row.run_at - row.created_at) == ("scheduled", timedelta(hours=1))
