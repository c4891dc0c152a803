"""An ORM instance is a legal argument, even one that has no primary key yet (P2)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import inspect, select
from sqlalchemy.orm import make_transient

from soniq_sa import EntityReferenceError, InvalidArgumentsError
from tests.session import app
from tests.session.app import ship, ship_named, ship_perhaps, ship_some
from tests.session.models import (
    Base,
    Early,
    Employee,
    Hashed,
    Job,
    Node,
    Order,
    Person,
    Report,
    Seat,
    Stamp,
    Ticket,
    Token,
)
from tests.session.variants import Variant


async def identity(session: Any, entity: Any) -> list[Any]:
    """Return the primary key that the database has given, as JSON."""
    await session.refresh(entity)
    key = inspect(entity).identity
    return [value if isinstance(value, int | str) else str(value) for value in key]


async def committed(session: Any, *entities: Any) -> None:
    session.add_all(entities)
    await session.commit()


# Each entity with the task that takes it.
KINDS = {
    "serial key": (app.ship, "order", Order),
    "sorted before the jobs": (app.ship_early, "order", Early),
    "composite key": (app.seat, "entity", lambda: Seat(row="A", number=7)),
    "half of the key from another row": (
        app.ticket,
        "entity",
        lambda: Ticket(order=Order(), line=3),
    ),
    "key by a default in Python": (app.token, "entity", Token),
    "key by a default in the database": (app.stamp, "entity", Stamp),
    "parent of an inheritance": (app.person, "entity", Person),
    "child where the parent is asked for": (app.person, "entity", Employee),
    "child of an inheritance": (app.employee, "entity", Employee),
    "reference to its own table": (app.node, "entity", lambda: Node(parent=Node())),
}


@pytest.mark.parametrize(("task", "name", "make"), KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("how", ["pending", "flushed", "persistent", "expired", "detached", "many"])
async def test_every_kind_of_entity_in_every_state(
    variant: Variant, task: Any, name: str, make: Any, how: str
) -> None:
    async with variant.session() as session:
        entity = make()
        session.add(entity)
        if how == "flushed":
            await session.flush()
        elif how not in {"pending", "many"}:
            await session.commit()
        if how == "persistent":
            await session.refresh(entity)
        if how == "detached":
            session.expunge(entity)
        if how == "many":
            session.enqueue_many(task, [{name: entity}, {name: entity}])
        else:
            session.enqueue(task, entity)
        await session.commit()
        if how == "detached":
            session.add(entity)
        key = await identity(session, entity)
    stored = key[0] if len(key) == 1 else key
    assert variant.jobs() == [(task.name, {name: stored})] * (2 if how == "many" else 1)
    (decoded,) = {task.codec.entity_key(name).decode(args[name]) for _, args in variant.jobs()}
    assert [value if isinstance(value, int | str) else str(value) for value in decoded] == key


async def test_an_expired_entity_is_read_without_any_statement(variant: Variant) -> None:
    async with variant.session() as session:
        order = Order()
        await committed(session, order)
        with variant.statements() as statements:
            session.enqueue(ship, order)
        assert statements == []


async def test_lists_and_dicts_of_entities_keep_their_places(variant: Variant) -> None:
    async with variant.session() as session:
        old = Order()
        await committed(session, old)
        first, second = Order(), Order()
        session.add_all([second, first])
        session.enqueue(ship_some, [first, old, second, first])
        session.enqueue(ship_named, {"a": first, "$ref": old, "b": second})
        session.enqueue(ship_some, [])
        session.enqueue(ship_named, {})
        await session.commit()
        keys = [(await identity(session, one))[0] for one in (first, old, second)]
    one, was, two = keys
    assert variant.jobs() == [
        ("ship_some", {"orders": [one, was, two, one]}),
        ("ship_named", {"orders": {"a": one, "$ref": was, "b": two}}),
        ("ship_some", {"orders": []}),
        ("ship_named", {"orders": {}}),
    ]


async def test_an_optional_entity_may_be_none(variant: Variant) -> None:
    async with variant.session() as session:
        order = Order()
        session.add(order)
        session.enqueue(ship_perhaps, None)
        session.enqueue(ship_perhaps, order, [None, order])
        session.enqueue(ship_perhaps, order, None)
        await session.commit()
        key = (await identity(session, order))[0]
    assert [args for _, args in variant.jobs()] == [
        {"order": None},
        {"order": key, "others": [None, key]},
        {"order": key, "others": None},
    ]


# Each with the task that it is given to, and what is said of it.
WRONG = {
    "None": (ship, None, "takes an instance of Order, not NoneType"),
    "key": (ship, 1, "takes an instance of Order, not int"),
    "other entity": (ship, Seat(row="A", number=1), "takes an instance of Order, not Seat"),
    "class": (ship, Order, "takes an instance of Order, not"),
    "one for a list": (ship_some, Order(), "takes a list of Order, not .*Order"),
    "None in a list": (ship_some, [None], "takes an instance of Order, not NoneType"),
    "dict for a list": (ship_some, {}, "takes a list of Order, not .*dict"),
    "list for a dict": (ship_named, [Order()], "takes a dict of Order.*, not .*list"),
    "key in a dict": (ship_named, {"a": 1}, "takes an instance of Order, not int"),
    "parent for a child": (app.employee, Person(), "takes an instance of Employee, not Person"),
}


@pytest.mark.parametrize(("task", "value", "message"), WRONG.values(), ids=WRONG)
async def test_what_is_no_such_entity_is_refused(
    psycopg: Variant, task: Any, value: Any, message: str
) -> None:
    async with psycopg.session() as session:
        with pytest.raises(InvalidArgumentsError, match=message):
            session.enqueue(task, value)
        assert not session.new


async def test_the_keys_of_a_dict_of_entities_are_texts(psycopg: Variant) -> None:
    async with psycopg.session() as session:
        order = Order()
        session.add(order)
        with pytest.raises(InvalidArgumentsError):
            session.enqueue(ship_named, {1: order, "1": order})


async def test_an_entity_that_cannot_be_hashed_before_it_has_its_key(variant: Variant) -> None:
    async with variant.session() as session:
        one, other = Hashed(), Hashed()
        session.add(one)
        session.enqueue(app.hashed, one, [other, one])
        session.enqueue_many(app.hashed, [{"entity": other, "others": [one]}])
        session.add(other)
        await session.commit()
        await session.refresh(one)
        await session.refresh(other)
        keys = {"one": one.id, "other": other.id}
    assert sorted((args["entity"], *args["others"]) for _, args in variant.jobs()) == sorted(
        [(keys["one"], keys["other"], keys["one"]), (keys["other"], keys["one"])]
    )


async def test_a_deleted_entity_is_refused(variant: Variant) -> None:
    async with variant.session() as session:
        order = Order()
        await committed(session, order)
        await session.delete(order)
        with pytest.raises(EntityReferenceError, match="is deleted in this session"):
            session.enqueue(ship, order)
        await session.flush()
        with pytest.raises(EntityReferenceError, match="is deleted in this session"):
            session.enqueue_many(ship, [{"order": order}])
        await session.commit()
    assert variant.jobs() == []


async def test_a_delete_that_is_rolled_back_makes_the_entity_good_again(variant: Variant) -> None:
    async with variant.session() as session:
        order = Order()
        await committed(session, order)
        await session.delete(order)
        await session.flush()
        await session.rollback()
        session.enqueue(ship, order)
        await session.commit()
    assert [task for task, _ in variant.jobs()] == ["ship"]


async def test_a_delete_after_enqueue_fails_or_leaves_the_job_to_the_worker(
    variant: Variant,
) -> None:
    async with variant.session() as session:
        order = Order()
        await committed(session, order)
        await session.refresh(order)
        key = order.id
        session.enqueue(ship, order)
        await session.delete(order)
        try:
            await session.commit()
        except EntityReferenceError:
            await session.rollback()
    gone = variant.rows("SELECT * FROM orders") == []
    assert variant.jobs() == ([("ship", {"order": key})] if gone and variant.jobs() else [])


async def test_a_delete_without_autoflush_takes_the_flush_back(variant: Variant) -> None:
    async with variant.session(autoflush=False) as session:
        order = Order()
        await committed(session, order)
        await session.refresh(order)
        session.enqueue(ship, order)
        with session.no_autoflush:
            await session.delete(order)
        with pytest.raises(EntityReferenceError, match="is deleted in this session"):
            await session.commit()
        await session.rollback()
    assert variant.jobs() == []
    assert len(variant.rows("SELECT * FROM orders")) == 1


async def test_an_entity_of_another_session_is_refused(variant: Variant) -> None:
    async with variant.session() as other, variant.session() as session:
        order = Order()
        other.add(order)
        with pytest.raises(EntityReferenceError, match="belongs to another session"):
            session.enqueue(ship, order)
        await other.commit()
        with pytest.raises(EntityReferenceError, match="belongs to another session"):
            session.enqueue(ship, order)
        await other.close()
        session.enqueue(ship, order)
        await session.commit()
    assert [task for task, _ in variant.jobs()] == ["ship"]


async def test_an_entity_that_moves_to_another_session_takes_the_flush_back(
    variant: Variant,
) -> None:
    async with variant.session() as other, variant.session() as session:
        order = Order()
        session.add(order)
        session.enqueue(ship, order)
        session.expunge(order)
        other.add(order)
        with pytest.raises(EntityReferenceError):
            await session.commit()
        await session.rollback()
    assert variant.jobs() == []


async def test_an_entity_whose_savepoint_was_rolled_back_is_no_reference(variant: Variant) -> None:
    async with variant.session() as session:
        order = Order()
        async with session.begin_nested() as savepoint:
            session.add(order)
            await session.flush()
            kept = order.id
            await savepoint.rollback()
        assert order.id == kept
        session.enqueue(ship, order)
        with pytest.raises(EntityReferenceError, match="was not inserted by this flush"):
            await session.commit()
        await session.rollback()
        assert variant.jobs() == []
        session.add(order)
        session.enqueue(ship, order)
        await session.commit()
        key = (await identity(session, order))[0]
    assert variant.jobs() == [("ship", {"order": key})]


async def test_an_entity_that_is_added_with_a_key_of_its_own(variant: Variant) -> None:
    async with variant.session() as session:
        order = Order(id=4711)
        session.enqueue(ship, order)
        with pytest.raises(EntityReferenceError):
            await session.flush()
        await session.rollback()
        session.add(order)
        session.enqueue(ship, order)
        await session.commit()
    assert variant.jobs() == [("ship", {"order": 4711})]


async def test_an_entity_made_transient_is_no_reference(variant: Variant) -> None:
    async with variant.session() as session:
        order = Order()
        await committed(session, order)
        await session.refresh(order)
        make_transient(order)
        session.enqueue(ship, order)
        with pytest.raises(EntityReferenceError):
            await session.commit()


async def test_an_entity_that_is_expunged_after_enqueue_takes_the_flush_back(
    variant: Variant,
) -> None:
    async with variant.session() as session:
        order = Order()
        session.add(order)
        session.enqueue(ship, order)
        session.enqueue_many(ship, [{"order": order}])
        session.expunge(order)
        with pytest.raises(EntityReferenceError):
            await session.commit()
        await session.rollback()
    assert variant.jobs() == []


async def test_a_merged_entity_is_the_one_to_pass(variant: Variant) -> None:
    async with variant.session() as session:
        merged = await session.merge(Order(id=5))
        session.enqueue(ship, merged)
        await session.commit()
    assert variant.jobs() == [("ship", {"order": 5})]


async def test_a_row_relates_to_its_job(variant: Variant) -> None:
    async with variant.session() as session:
        report = Report()
        session.add(report)
        handle = session.enqueue(app.report, report)
        report.job = handle.row
        await session.commit()
        found = await session.scalar(select(Job).join(Report, Report.job_id == Job.id))
        assert found is handle.row
        key = (await identity(session, report))[0]
        assert report.job_id == handle.id
    assert variant.jobs() == [("report", {"entity": key})]


async def test_a_row_refers_to_its_job_by_the_id_of_the_handle(variant: Variant) -> None:
    async with variant.session() as session:
        report = Report()
        session.add(report)
        report.job_id = session.enqueue(app.report, report).id
        (many,) = session.enqueue_many(app.report, [{"entity": report}])
        session.add(Report(job_id=many.id))
        await session.commit()
    assert len(variant.rows("SELECT * FROM reports JOIN soniq_jobs j ON j.id = job_id")) == 2


async def test_a_cascade_adds_the_job_only_with_its_report(variant: Variant) -> None:
    async with variant.session() as session:
        report = Report()
        async with session.begin_nested() as savepoint:
            session.add(report)
            report.job = session.enqueue(app.report, report).row
            await session.flush()
            await savepoint.rollback()
        await session.commit()
    assert variant.jobs() == []
    assert variant.rows("SELECT * FROM reports") == []


async def test_two_flushes_of_one_transaction(variant: Variant) -> None:
    async with variant.session() as session:
        first, second = Order(), Order()
        session.add(first)
        session.enqueue(ship, first)
        await session.flush()
        session.add(second)
        session.enqueue(ship_some, [second, first])
        await session.commit()
        keys = [(await identity(session, one))[0] for one in (first, second)]
    assert variant.jobs() == [
        ("ship", {"order": keys[0]}),
        ("ship_some", {"orders": [keys[1], keys[0]]}),
    ]


def test_every_table_of_these_tests_is_plain() -> None:
    assert {table.info == {} for table in Base.metadata.tables.values()} == {True}
