"""A job exists if and only if the transaction that enqueued it committed (P1)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, select, text

from soniq_sa import EntityReferenceError, enqueue
from tests.session.app import note, ship, ship_early
from tests.session.models import Early, Job, Order
from tests.session.variants import Variant


def notes(*texts: str) -> list[tuple[str, dict[str, Any]]]:
    return [("note", {"text": one}) for one in texts]


async def test_a_committed_job_is_there(variant: Variant) -> None:
    async with variant.session() as session:
        handle = session.enqueue(note, "a")
        assert variant.jobs() == []
        await session.commit()
    (row,) = variant.rows()
    assert (row.id, row.task, row.args, row.state) == (handle.id, "note", {"text": "a"}, "queued")
    assert (row.queue, row.priority, row.attempts, row.max_attempts) == ("default", 100, 0, 4)
    assert (row.claims, row.crashes, row.worker_id, row.finished_at) == (0, 0, None, None)
    assert row.run_at == row.created_at


async def test_enqueueing_does_no_io(variant: Variant) -> None:
    async with variant.session() as session:
        with variant.statements() as statements:
            session.enqueue(note, "a")
            session.enqueue_many(note, [{"text": "b"}])
            assert not session.in_transaction() or not statements
        assert statements == []


async def test_a_rolled_back_job_is_not_there(variant: Variant) -> None:
    async with variant.session() as session:
        session.enqueue(note, "a")
        await session.flush()
        session.enqueue(note, "b")
        await session.rollback()
        await session.commit()
    assert variant.jobs() == []


async def test_a_job_of_a_session_that_is_closed_is_not_there(variant: Variant) -> None:
    async with variant.session() as session:
        session.enqueue(note, "unflushed")
        await session.close()
        session.enqueue(note, "flushed")
        await session.flush()
        await session.close()
        session.enqueue(note, "committed")
        await session.commit()
    assert variant.jobs() == notes("committed")


async def test_a_job_that_is_expunged_is_not_there(variant: Variant) -> None:
    async with variant.session() as session:
        handle = session.enqueue(note, "a")
        session.enqueue(note, "b")
        session.expunge(handle.row)
        await session.commit()
    assert variant.jobs() == notes("b")


async def test_an_error_in_the_block_takes_the_job_with_it(variant: Variant) -> None:
    async def fail() -> None:
        async with variant.session() as session, session.begin():
            session.enqueue(note, "a")
            await session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert variant.jobs() == []


@pytest.mark.parametrize("flushed", [False, True], ids=["unflushed", "flushed"])
@pytest.mark.parametrize("many", [False, True], ids=["enqueue", "enqueue_many"])
async def test_a_job_goes_with_its_savepoint(
    variant: Variant, *, flushed: bool, many: bool
) -> None:
    def add(session: Any, name: str) -> None:
        if many:
            session.enqueue_many(note, [{"text": name}])
        else:
            session.enqueue(note, name)

    async with variant.session() as session:
        add(session, "before")
        async with session.begin_nested() as savepoint:
            add(session, "inside")
            if flushed:
                await session.flush()
            await savepoint.rollback()
        async with session.begin_nested():
            add(session, "kept")
        add(session, "after")
        await session.commit()
    assert sorted(variant.jobs(), key=str) == sorted(notes("before", "kept", "after"), key=str)


async def test_savepoints_in_savepoints_take_what_is_in_them(variant: Variant) -> None:
    async with variant.session() as session:
        async with session.begin_nested() as outer:
            session.enqueue(note, "outer")
            async with session.begin_nested():
                session.enqueue(note, "inner, released")
            await outer.rollback()
        async with session.begin_nested():
            session.enqueue(note, "second")
            async with session.begin_nested() as inner:
                session.enqueue(note, "inner")
                await session.flush()
                await inner.rollback()
            session.enqueue(note, "third")
        await session.commit()
    assert variant.jobs() == notes("second", "third")


async def test_a_released_savepoint_goes_with_the_transaction(variant: Variant) -> None:
    async with variant.session() as session:
        async with session.begin_nested():
            session.enqueue(note, "a")
        await session.rollback()
    assert variant.jobs() == []


async def test_a_session_goes_on_after_its_savepoint_failed(variant: Variant) -> None:
    async with variant.session() as session:
        session.enqueue(note, "before")
        with pytest.raises(EntityReferenceError):
            async with session.begin_nested():
                session.enqueue(ship, Order())
        session.enqueue(note, "after")
        await session.commit()
    assert variant.jobs() == notes("before", "after")


async def test_a_query_flushes_the_job(variant: Variant) -> None:
    async with variant.session() as session:
        handle = session.enqueue(note, "a")
        found = await session.scalar(select(Job.id))
        assert found == handle.id
        assert variant.jobs() == []


async def test_a_query_without_autoflush_leaves_the_job_alone(variant: Variant) -> None:
    async with variant.session(autoflush=False) as session:
        session.enqueue(note, "a")
        assert await session.scalar(select(Job.id)) is None
    async with variant.session() as session:
        with session.no_autoflush:
            session.enqueue(note, "a")
            session.enqueue_many(note, [{"text": "b"}])
            assert await session.scalar(select(Job.id)) is None
        await session.commit()
    assert len(variant.jobs()) == 2


async def test_a_job_is_enqueued_before_the_entity_is_added(variant: Variant) -> None:
    async with variant.session() as session:
        order = Order()
        session.enqueue(ship, order)
        session.add(order)
        await session.commit()
        await session.refresh(order)
        assert variant.jobs() == [("ship", {"order": order.id})]


async def test_an_entity_that_is_never_added_takes_everything_back(variant: Variant) -> None:
    async with variant.session() as session:
        session.add(Order(note="innocent"))
        session.enqueue(note, "innocent")
        session.enqueue(ship, Order())
        with pytest.raises(EntityReferenceError, match=r"Add it to the session: session\.add"):
            await session.commit()
        await session.rollback()
        session.enqueue(note, "later")
        await session.commit()
    assert variant.jobs() == notes("later")
    assert variant.rows("SELECT * FROM orders") == []


async def test_a_flush_that_fails_in_the_database_takes_the_jobs_back(variant: Variant) -> None:
    async with variant.session() as session:
        order = Order(id=1)
        session.add(order)
        await session.commit()
        session.expunge(order)
        session.add(Order(id=1))
        session.enqueue(note, "a")
        session.enqueue_many(note, [{"text": "b"}])
        with pytest.raises(Exception, match="orders_pkey"):
            await session.flush()
        await session.rollback()
        session.enqueue(note, "c")
        await session.commit()
    assert variant.jobs() == notes("c")


async def test_two_phase_commit(psycopg: Variant) -> None:
    async with psycopg.session(twophase=True) as session:
        order = Order()
        session.add(order)
        session.enqueue(ship, order)
        session.enqueue_many(note, [{"text": "a"}])
        await session.prepare()
        assert psycopg.jobs() == []
        await session.commit()
        session.enqueue(note, "b")
        await session.prepare()
        await session.rollback()
    assert sorted(task for task, _ in psycopg.jobs()) == ["note", "ship"]


async def test_a_job_beside_a_committed_order_has_its_key_in_any_order_of_mappers(
    variant: Variant,
) -> None:
    async with variant.session() as session:
        order, early = Order(), Early()
        handles = [session.enqueue(ship, order), session.enqueue(ship_early, early)]
        session.add_all([order, early])
        await session.commit()
        await session.refresh(order)
        await session.refresh(early)
        keys = [order.id, early.id]
        assert [row.args["order"] for row in variant.rows()] == keys
        for handle, key in zip(handles, keys, strict=True):
            await session.refresh(handle.row)
            assert handle.row.args == {"order": key}


async def test_a_flush_leaves_the_row_as_it_is_in_the_database(variant: Variant) -> None:
    async with variant.session() as session:
        order = Order()
        session.add(order)
        handle = session.enqueue(ship.options(delay=60), order)
        await session.flush()
        row = handle.row
        with variant.statements() as statements:
            seen = (row.args["order"], row.state, row.run_at)
            assert not session.dirty
        assert statements == []
        await session.commit()
        (stored,) = variant.rows()
        assert seen == (stored.args["order"], stored.state, stored.run_at)


async def test_an_expire_between_enqueue_and_flush_does_no_harm(variant: Variant) -> None:
    async with variant.session() as session:
        order = Order()
        session.add(order)
        await session.commit()
        session.enqueue(ship, order)
        session.expire_all()
        await session.commit()
    assert [task for task, _ in variant.jobs()] == ["ship"]


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("many", [False, True], ids=["enqueue", "enqueue_many"])
async def test_a_hook_of_the_user_enqueues_while_the_session_flushes(
    variant: Variant, place: str, *, many: bool
) -> None:
    def hook(session: Any, *_: Any) -> None:
        for order in [one for one in session.new if isinstance(one, Order)]:
            if many:
                session.enqueue_many(ship, [{"order": order}, {"order": order, "text": "again"}])
            else:
                session.enqueue(ship, order)
                session.enqueue(ship, order, "again")

    async with variant.session() as session:
        target = session.sync_session
        event.listen(target, "before_flush", hook, insert=place == "before")
        order = Order()
        session.add(order)
        await session.commit()
        await session.refresh(order)
        key = order.id
    assert variant.jobs() == [("ship", {"order": key}), ("ship", {"order": key, "text": "again"})]


async def test_a_hook_on_every_session_may_run_before_ours(variant: Variant) -> None:
    def hook(session: Any, *_: Any) -> None:
        for order in [one for one in session.new if isinstance(one, Order)]:
            session.enqueue_many(ship, [{"order": order}])
            session.enqueue(ship, order)

    kind = type((await opened(variant)).sync_session)
    event.listen(kind, "before_flush", hook, insert=True)
    try:
        async with variant.session() as session:
            session.add(Order())
            await session.commit()
    finally:
        event.remove(kind, "before_flush", hook)
    assert [task for task, _ in variant.jobs()] == ["ship", "ship"]


async def opened(variant: Variant) -> Any:
    async with variant.session() as session:
        return session


async def test_a_hook_after_the_flush_enqueues_for_the_next_one(variant: Variant) -> None:
    def hook(session: Any, *_: Any) -> None:
        for order in [one for one in session.new if isinstance(one, Order)]:
            enqueue(session, note, f"flushed {order.note}")
            session.enqueue_many(note, [{"text": f"many {order.note}"}])

    async with variant.session() as session:
        event.listen(session.sync_session, "after_flush", hook)
        session.add(Order(note="a"))
        await session.commit()
    assert sorted(args["text"] for _, args in variant.jobs()) == ["flushed a", "many a"]


async def test_a_hook_before_the_commit_enqueues(variant: Variant) -> None:
    def hook(session: Any) -> None:
        session.enqueue(note, "last")

    async with variant.session() as session:
        event.listen(session.sync_session, "before_commit", hook, once=True)
        session.add(Order())
        await session.commit()
    assert variant.jobs() == notes("last")


async def test_a_session_is_used_for_many_transactions(variant: Variant) -> None:
    async with variant.session() as session:
        for number in range(4):
            session.enqueue(note, str(number))
            session.enqueue_many(note, [{"text": f"{number}+"}])
            await (session.commit() if number % 2 else session.rollback())
    assert sorted(args["text"] for _, args in variant.jobs()) == ["1", "1+", "3", "3+"]


async def test_a_job_row_added_by_hand_is_a_job(variant: Variant) -> None:
    async with variant.session() as session:
        session.add(Job(task="note", args={"text": "a"}, tenant_id=7))
        await session.commit()
    (row,) = variant.rows()
    assert (row.task, row.args, row.tenant_id, row.state) == ("note", {"text": "a"}, 7, "queued")


async def test_the_row_of_the_handle_can_be_changed_before_the_flush(variant: Variant) -> None:
    async with variant.session() as session:
        session.enqueue(note, "a").row.tenant_id = 7
        await session.commit()
    assert [row.tenant_id for row in variant.rows()] == [7]


async def test_a_key_of_hostile_text_in_a_savepoint_spoils_nothing(variant: Variant) -> None:
    async with variant.session() as session:
        await session.execute(text("SELECT 1"))
        with pytest.raises(TypeError):
            session.enqueue(note, "a\0b")
        session.enqueue(note, "b")
        await session.commit()
    assert variant.jobs() == notes("b")
