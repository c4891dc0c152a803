"""``enqueue_many``: one statement, and the same life as any other job."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, select

from soniq_sa import EntityReferenceError, InvalidArgumentsError
from tests.session.app import note, ship, ship_early, ship_some
from tests.session.models import Early, Job, Order
from tests.session.variants import Variant


def rows(*texts: str) -> list[dict[str, Any]]:
    return [{"text": one} for one in texts]


def texts(variant: Variant) -> list[str]:
    return [args["text"] for _, args in variant.jobs()]


def inserts(statements: list[str]) -> list[str]:
    return [one for one in statements if one.startswith("INSERT INTO soniq_jobs")]


async def test_many_jobs_take_one_insert(variant: Variant) -> None:
    async with variant.session() as session:
        with variant.statements() as statements:
            handles = session.enqueue_many(note, [{"text": str(n)} for n in range(5_000)])
            assert statements == []
            await session.commit()
        assert len(inserts(statements)) == 1
    found = variant.rows()
    assert [row.id for row in found] == [handle.id for handle in handles]
    assert [row.args["text"] for row in found] == [str(n) for n in range(5_000)]
    assert {handle.row for handle in handles} == {None}
    assert {handle.name for handle in handles} == {"note"}


async def test_many_jobs_have_every_column_that_one_job_has(variant: Variant) -> None:
    task = note.options(queue="bulk", priority=7)
    async with variant.session() as session:
        session.enqueue(task, "a")
        session.enqueue_many(task, rows("a", "a"))
        await session.commit()
    one, other, last = ({**row._asdict(), "id": None} for row in variant.rows())
    assert one == other == last


async def test_a_time_holds_for_each_of_many_jobs(variant: Variant) -> None:
    async with variant.session() as session:
        session.enqueue_many(note.options(delay=3600), rows("a", "b"))
        session.enqueue_many(note, rows("c"))
        await session.commit()
    assert {
        (row.args["text"], row.state, (row.run_at - row.created_at).total_seconds())
        for row in variant.rows()
    } == {("a", "scheduled", 3600), ("b", "scheduled", 3600), ("c", "queued", 0)}


async def test_none_at_all_is_fine(variant: Variant) -> None:
    async with variant.session() as session:
        assert session.enqueue_many(note, []) == []
        assert not session.new
        await session.commit()
    assert variant.jobs() == []


async def test_the_rows_may_come_from_a_generator(variant: Variant) -> None:
    async with variant.session() as session:
        handles = session.enqueue_many(note, ({"text": one} for one in "abc"))
        assert len(handles) == 3
        await session.commit()
    assert texts(variant) == ["a", "b", "c"]


async def test_the_jobs_are_those_of_the_rows_when_they_were_enqueued(variant: Variant) -> None:
    async with variant.session() as session:
        given = rows("a", "b")
        session.enqueue_many(note, given)
        given[0]["text"] = "changed"
        given.clear()
        await session.commit()
    assert texts(variant) == ["a", "b"]


async def test_a_bad_row_adds_none_and_is_numbered(variant: Variant) -> None:
    async with variant.session() as session:
        with pytest.raises(InvalidArgumentsError, match="'texd'") as error:
            session.enqueue_many(note, [*rows("a"), {"texd": "b"}, *rows("c")])
        assert error.value.__notes__ == ["In row 1 of enqueue_many."]
        session.enqueue_many(note, rows("d"))
        await session.commit()
    assert texts(variant) == ["d"]


async def test_a_bad_entity_adds_none(variant: Variant) -> None:
    async with variant.session() as session:
        good, gone = Order(), Order()
        session.add_all([good, gone])
        await session.commit()
        await session.delete(gone)
        with pytest.raises(EntityReferenceError):
            session.enqueue_many(ship, [{"order": good}, {"order": gone}])
        await session.commit()
    assert variant.jobs() == []


@pytest.mark.parametrize("task", [ship, ship_early], ids=["sorted behind", "sorted before"])
async def test_pending_entities_take_one_insert_as_well(variant: Variant, task: Any) -> None:
    kind = Order if task is ship else Early
    async with variant.session() as session:
        entities = [kind() for _ in range(20)]
        session.add_all(entities)
        with variant.statements() as statements:
            session.enqueue_many(task, [{"order": one} for one in entities])
            await session.flush()
        assert len(inserts(statements)) == 1
        keys = [one.id for one in entities]
        await session.commit()
    assert [args["order"] for _, args in variant.jobs()] == keys


async def test_pending_and_persistent_entities_are_mixed(variant: Variant) -> None:
    async with variant.session() as session:
        old, new = Order(), Order()
        session.add(old)
        await session.commit()
        session.add(new)
        session.enqueue_many(ship_some, [{"orders": [old, new]}, {"orders": []}, {"orders": [old]}])
        await session.commit()
        await session.refresh(old)
        await session.refresh(new)
        expected = [[old.id, new.id], [], [old.id]]
    assert [args["orders"] for _, args in variant.jobs()] == expected


async def test_entities_are_added_after_the_jobs(variant: Variant) -> None:
    async with variant.session() as session:
        order = Order()
        session.enqueue_many(ship, [{"order": order}])
        session.add(order)
        await session.commit()
    assert [task for task, _ in variant.jobs()] == ["ship"]


@pytest.mark.parametrize("other_work", [False, True], ids=["alone", "beside other work"])
async def test_an_entity_that_is_never_added_takes_all_back(
    variant: Variant, *, other_work: bool
) -> None:
    async with variant.session() as session:
        session.enqueue_many(ship, [{"order": Order()}])
        if other_work:
            session.add(Order())
        with pytest.raises(EntityReferenceError, match=r"session\.add"):
            await session.commit()
        await session.rollback()
        session.enqueue_many(note, rows("a"))
        await session.commit()
    assert texts(variant) == ["a"]


async def test_many_jobs_live_and_die_with_their_transaction(variant: Variant) -> None:
    async with variant.session() as session:
        session.enqueue_many(note, rows("rolled back", "unflushed"))
        await session.rollback()
        session.enqueue_many(note, rows("rolled back", "flushed"))
        await session.flush()
        await session.rollback()
        session.enqueue_many(note, rows("closed"))
        await session.close()
        session.enqueue_many(note, rows("closed", "flushed"))
        await session.flush()
        await session.close()
        session.enqueue_many(note, rows("expunged"))
        session.expunge_all()
        await session.commit()
        session.enqueue_many(note, rows("kept"))
        await session.commit()
    assert texts(variant) == ["kept"]


async def test_many_jobs_of_a_rolled_back_savepoint_do_not_come_back(variant: Variant) -> None:
    async with variant.session() as session:
        session.enqueue_many(note, rows("a"))
        async with session.begin_nested() as savepoint:
            session.enqueue_many(note, rows("b", "c"))
            await savepoint.rollback()
        async with session.begin_nested() as savepoint:
            session.enqueue_many(note, rows("d"))
            await session.flush()
            async with session.begin_nested():
                session.enqueue_many(note, rows("e"))
            await savepoint.rollback()
        session.enqueue_many(note, rows("f"))
        await session.commit()
    assert texts(variant) == ["a", "f"]


@pytest.mark.parametrize("insert", [True, False], ids=["before ours", "after ours"])
@pytest.mark.parametrize("existing", [False, True], ids=["first", "second"])
async def test_many_jobs_are_enqueued_while_the_session_flushes(
    variant: Variant, *, insert: bool, existing: bool
) -> None:
    def hook(session: Any, *_: Any) -> None:
        orders = [one for one in session.new if isinstance(one, Order)]
        if orders:
            session.enqueue_many(ship, [{"order": one} for one in orders])
            session.enqueue_many(note, rows("hooked", "twice"))

    async with variant.session() as session:
        event.listen(session.sync_session, "before_flush", hook, insert=insert)
        if existing:
            session.enqueue_many(note, rows("enqueued"))
        orders = [Order(), Order(), Order()]
        session.add_all(orders)
        await session.commit()
        for order in orders:
            await session.refresh(order)
        keys = {order.id for order in orders}
    ships = [args["order"] for task, args in variant.jobs() if task == "ship"]
    assert len(ships) == 3
    assert set(ships) == keys
    found = [args["text"] for task, args in variant.jobs() if task == "note"]
    assert sorted(found) == sorted(["hooked", "twice", *(["enqueued"] if existing else [])])


async def test_a_batch_enqueued_while_flushing_goes_with_its_transaction(variant: Variant) -> None:
    def hook(session: Any, *_: Any) -> None:
        if any(isinstance(one, Order) for one in session.new):
            session.enqueue_many(note, rows("a", "b"))

    async with variant.session() as session:
        event.listen(session.sync_session, "before_flush", hook)
        session.add(Order())
        await session.flush()
        await session.rollback()
        session.enqueue(note, "c")
        await session.commit()
    assert texts(variant) == ["c"]


async def test_a_query_sees_many_jobs(variant: Variant) -> None:
    async with variant.session() as session:
        handles = session.enqueue_many(note, rows("a", "b"))
        found = (await session.scalars(select(Job.id).order_by(Job.id))).all()
        assert found == [handle.id for handle in handles]


async def test_a_failed_flush_does_not_keep_the_batch(variant: Variant) -> None:
    async with variant.session() as session:
        session.add(Order(id=1))
        await session.commit()
        session.expunge_all()
        session.enqueue_many(note, rows("a", "b"))
        session.add(Order(id=1))
        with pytest.raises(Exception, match="orders_pkey"):
            await session.commit()
        await session.rollback()
        session.add(Order(id=2))
        await session.commit()
    assert variant.jobs() == []


async def test_batches_of_several_tasks(variant: Variant) -> None:
    async with variant.session() as session:
        order = Order()
        session.add(order)
        with variant.statements() as statements:
            session.enqueue_many(note, rows("a", "b"))
            session.enqueue(note, "c")
            session.enqueue_many(ship, [{"order": order}] * 3)
            session.enqueue(ship, order)
            await session.commit()
        assert len(inserts(statements)) == 3
    assert [task for task, _ in variant.jobs()] == ["note"] * 3 + ["ship"] * 4
