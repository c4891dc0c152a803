"""A reference is enqueued through like a task: in every session, in every way, at the same cost."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import Row

from soniq_sa import (
    InvalidArgumentsError,
    NewJob,
    OptionError,
    Soniq,
    TaskRef,
    UnknownTaskError,
    UnknownTaskWarning,
    enqueue,
    enqueue_many,
)
from tests.session.models import Base, Order
from tests.session.variants import Variant

HOUR = timedelta(hours=1)


class SendArgs(BaseModel):
    """The arguments of a task elsewhere."""

    user_id: int
    at: datetime


AT = datetime(2026, 1, 1, tzinfo=UTC)
OPTIONS: dict[str, Any] = {
    "queue": "mail",
    "priority": 7,
    "tags": ["a"],
    "headers": {"b": "c"},
    "expires_in": 3600,
    "columns": {"tenant_id": 42},
}


def by_model(soniq: Soniq) -> TaskRef[..., Any]:
    """Return a reference with a model."""
    return soniq.ref("mail.send", SendArgs, **OPTIONS)


def by_stub(soniq: Soniq) -> TaskRef[..., Any]:
    """Return a stub."""

    @soniq.stub(name="mail.send", **OPTIONS)
    async def send(user_id: int, at: datetime) -> None:
        raise NotImplementedError

    return send


def by_name_of_a_task(soniq: Soniq) -> TaskRef[..., Any]:
    """Return a reference to a task of this program."""

    @soniq.job(name="mail.send", queue="mail")
    async def send(user_id: int, at: datetime) -> None:
        """Never run."""

    return soniq.ref("mail.send", **OPTIONS)


KINDS: dict[str, Callable[[Soniq], TaskRef[..., Any]]] = {
    "model": by_model,
    "stub": by_stub,
    "name": by_name_of_a_task,
}
KIND = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
WAYS = ("method", "function", "many", "function many", "own transaction")
GIVEN = {"user_id": 3, "at": AT}


async def enqueue_by(way: str, variant: Variant, soniq: Soniq, task: Any, **given: Any) -> Row[Any]:
    """Enqueue and commit one job in one of the ways, and return its row."""
    if way == "own transaction":
        if variant.is_async:
            await soniq.enqueue(task, **given)
        else:
            soniq.enqueue_sync(task, **given)
    else:
        async with variant.session() as session:
            plain = session if variant.is_async else session.sync_session
            match way:
                case "method":
                    session.enqueue(task, **given)
                case "function":
                    enqueue(plain, task, **given)
                case "many":
                    session.enqueue_many(task, [given])
                case _:
                    enqueue_many(plain, task, [given])
            await session.commit()
    (row,) = variant.rows()
    return row


@KIND
@pytest.mark.parametrize("way", WAYS)
async def test_every_way_stores_the_same_job(
    variant: Variant, way: str, make: Callable[[Soniq], TaskRef[..., Any]]
) -> None:
    soniq = Soniq(Base.metadata, engine=variant.engine)
    row = await enqueue_by(way, variant, soniq, make(soniq), **GIVEN)
    assert (row.task, row.args) == ("mail.send", {"user_id": 3, "at": "2026-01-01T00:00:00Z"})
    assert (row.queue, row.priority, row.max_attempts, row.state) == ("mail", 7, 4, "queued")
    assert (row.tags, row.headers, row.tenant_id) == (["a"], {"b": "c"}, 42)
    assert row.expires_at - row.created_at == HOUR


@pytest.mark.parametrize("way", WAYS)
async def test_an_unknown_name_is_refused_and_adds_nothing(variant: Variant, way: str) -> None:
    soniq = Soniq(Base.metadata, engine=variant.engine)
    with pytest.raises(UnknownTaskError):
        await enqueue_by(way, variant, soniq, soniq.ref("mail.send"), **GIVEN)
    assert variant.jobs() == []


@pytest.mark.parametrize("way", WAYS)
async def test_an_unknown_name_may_be_allowed(variant: Variant, way: str) -> None:
    soniq = Soniq(Base.metadata, engine=variant.engine, unknown_tasks="none")
    row = await enqueue_by(way, variant, soniq, soniq.ref("far", **OPTIONS), ids=[1, None, {}])
    assert (row.task, row.args, row.queue) == ("far", {"ids": [1, None, {}]}, "mail")


async def test_a_stub_takes_an_entity_that_has_no_key_yet(variant: Variant) -> None:
    soniq = Soniq(Base.metadata)

    @soniq.stub(name="shop.ship")
    async def ship(order: Order, others: list[Order], text: str = "") -> None:
        raise NotImplementedError

    async with variant.session() as session, session.begin():
        orders = [Order(), Order()]
        session.add_all(orders)
        session.enqueue(ship, orders[0], others=orders)
        session.enqueue_many(ship, [{"order": one, "others": []} for one in orders])
        with pytest.raises(InvalidArgumentsError, match="takes an instance of Order, not int"):
            session.enqueue(ship, 7, [])
    stored = [args for _, args in variant.jobs()]
    first, second = (args["order"] for args in stored[1:])
    assert stored[0] == {"order": first, "others": [first, second]}
    assert {first, second} == {row.id for row in variant.rows("SELECT id FROM orders")}


async def test_a_job_through_a_reference_goes_with_its_transaction(variant: Variant) -> None:
    send = by_model(Soniq(Base.metadata))
    async with variant.session() as session:
        async with session.begin_nested() as savepoint:
            session.enqueue(send, **GIVEN)
            await savepoint.rollback()
        session.enqueue_many(send, [GIVEN])
        await session.rollback()
    assert variant.jobs() == []


@KIND
async def test_many_jobs_through_a_reference_take_one_insert(
    variant: Variant, make: Callable[[Soniq], TaskRef[..., Any]]
) -> None:
    send = make(Soniq(Base.metadata))
    async with variant.session() as session, session.begin():
        with variant.statements() as statements:
            handles = session.enqueue_many(send, [{"user_id": n, "at": AT} for n in range(100)])
            await session.flush()
    assert [one.split()[0] for one in statements] == ["INSERT"]
    assert {handle.name for handle in handles} == {"mail.send"}
    assert [args["user_id"] for _, args in variant.jobs()] == list(range(100))


@KIND
async def test_a_job_through_a_reference_passes_the_hooks(
    variant: Variant, make: Callable[[Soniq], TaskRef[..., Any]]
) -> None:
    soniq = Soniq(Base.metadata)
    seen: list[tuple[str, dict[str, Any], str]] = []

    @soniq.before_enqueue
    def trace(job: NewJob) -> None:
        seen.append((job.task, dict(job.arguments), job.options.queue))
        job.headers["number"] = str(len(seen))

    send = make(soniq)
    async with variant.session() as session, session.begin():
        session.enqueue(send, **GIVEN)
        session.enqueue_many(send, [GIVEN])
    assert seen == [("mail.send", {"user_id": 3, "at": "2026-01-01T00:00:00Z"}, "mail")] * 2
    assert [row.headers["number"] for row in variant.rows()] == ["1", "2"]
    assert send.defaults.headers == {"b": "c"}


# By name, and at a time


async def test_an_application_takes_the_name_itself(variant: Variant) -> None:
    soniq = Soniq(Base.metadata, engine=variant.engine)
    by_name_of_a_task(soniq)
    row = await enqueue_by("own transaction", variant, soniq, "mail.send", **GIVEN)
    assert (row.task, row.queue) == ("mail.send", "mail")
    assert row.args == {"user_id": 3, "at": "2026-01-01T00:00:00Z"}


async def test_an_application_refuses_a_name_that_it_does_not_know(variant: Variant) -> None:
    soniq = Soniq(Base.metadata, engine=variant.engine)
    by_name_of_a_task(soniq)
    with pytest.raises(UnknownTaskError, match=r"Did you mean 'mail\.send'"):
        await soniq.enqueue("mail.sent", user_id=3)
    if not variant.is_async:
        with pytest.raises(UnknownTaskError):
            soniq.enqueue_sync("mail.sent", user_id=3)
    with pytest.raises(OptionError, match="'mail send' cannot name a task"):
        await soniq.enqueue("mail send")
    with pytest.raises(InvalidArgumentsError, match=r"Decorate the function with @soniq\.job"):
        await soniq.enqueue(print)  # type: ignore[arg-type] # the point
    with pytest.raises(InvalidArgumentsError, match=r"Decorate the function with @soniq\.job"):
        await soniq.schedule(print, 60)  # type: ignore[arg-type] # the point
    assert variant.jobs() == []


def test_a_warning_of_a_script_names_the_line_of_the_script(asyncpg: Variant) -> None:
    soniq = Soniq(Base.metadata, engine=asyncpg.engine, unknown_tasks="warn")
    with pytest.warns(UnknownTaskWarning) as caught:
        soniq.enqueue_sync("elsewhere", number=1)
    assert [one.filename for one in caught] == [__file__]
    assert asyncpg.jobs() == [("elsewhere", {"number": 1})]


async def test_a_warning_of_a_coroutine_names_its_line(asyncpg: Variant) -> None:
    soniq = Soniq(Base.metadata, engine=asyncpg.engine, unknown_tasks="warn")
    with pytest.warns(UnknownTaskWarning) as caught:
        await soniq.enqueue("elsewhere", number=1)
    assert [one.filename for one in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UnknownTaskWarning):
            await soniq.enqueue("elsewhere", number=2)
    assert asyncpg.jobs() == [("elsewhere", {"number": 1})]


@pytest.mark.parametrize("run_at", [3600, 3600.0, HOUR])
@pytest.mark.parametrize("kind", [*KINDS, "task", "bare name"])
async def test_a_scheduled_job_is_due_at_its_time(asyncpg: Variant, kind: str, run_at: Any) -> None:
    soniq = Soniq(Base.metadata, engine=asyncpg.engine)
    task: Any = KINDS.get(kind, by_name_of_a_task)(soniq)
    if kind == "task":
        task = soniq.tasks.get("mail.send")
    elif kind == "bare name":
        task = "mail.send"
    handle = await soniq.schedule(task, run_at, **GIVEN)
    (row,) = asyncpg.rows()
    assert (row.id, row.task, row.state) == (handle.id, "mail.send", "scheduled")
    assert row.run_at - row.created_at == HOUR
    assert row.args["user_id"] == 3


async def test_a_scheduled_job_takes_the_place_of_the_tasks_own_delay(asyncpg: Variant) -> None:
    soniq = Soniq(Base.metadata, engine=asyncpg.engine)
    when = datetime(2040, 1, 1, tzinfo=UTC)
    await soniq.schedule(by_model(soniq).options(delay=60), when, **GIVEN)
    assert asyncpg.rows()[0].run_at == when


@pytest.mark.parametrize("run_at", [None, datetime(2040, 1, 1), "soon", -1])  # noqa: DTZ001 - the point
async def test_what_is_no_time_is_refused(asyncpg: Variant, run_at: Any) -> None:
    soniq = Soniq(Base.metadata, engine=asyncpg.engine)
    with pytest.raises(OptionError, match="run_at"):
        await soniq.schedule(by_model(soniq), run_at, **GIVEN)
    assert asyncpg.jobs() == []
