"""A replay makes a fresh job, and keeps the dead one."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from soniq_sa import JobNotFoundError, Worker
from soniq_sa.models.mixins import JobMixin
from soniq_sa.statements.dead import LEFT_OUT, SET_ANEW
from tests.dead_letters.office import LONG_AGO, Office

COPIED = {"task", "queue", "priority", "args", "max_attempts", "timeout", "tags", "headers"}
USERS = {
    "tenant_id": 7,
    "customer name": "Ann",
    "trail": {"a": [None, 1.5, "\u2028"]},
    "blob": b"\x00\xff",
    "words": ["a", "b"],
    "required": "mine",
}


def test_each_column_is_copied_set_anew_or_left_out() -> None:
    columns = JobMixin.soniq_columns().keys()
    assert not SET_ANEW & LEFT_OUT
    assert set(columns) - SET_ANEW - LEFT_OUT == COPIED


async def test_the_fresh_job_has_what_the_dead_one_was_enqueued_with(office: Office) -> None:
    given: dict[str, Any] = {
        "queue": "billing",
        "priority": 5,
        "max_attempts": 9,
        "timeout": 2.5,
        "tags": ["a", "b"],
        "headers": {"trace": "1"},
        "args": {"list": [1, 2.5, None, {"x": "ü\n"}]},
        "expires_at": LONG_AGO,
        "crashes": 2,
        **USERS,
    }
    dead_id = await office.one(**given)
    before = await office.values(dead_id)
    new_id = await office.letters.replay(dead_id)
    fresh = await office.values(new_id)
    for name in COPIED | {"tenant_id", "customer name", "trail", "blob", "words", "required"}:
        assert fresh[name] == before[name], name
    assert (fresh["state"], fresh["replay_of"], fresh["replays"]) == ("queued", dead_id, None)
    assert (fresh["attempts"], fresh["claims"], fresh["crashes"]) == (0, 0, 0)
    for name in ("worker_id", "claimed_at", "finished_at", "expires_at", "reason", "error"):
        assert fresh[name] is None, name
    assert fresh["run_at"] == fresh["created_at"] > before["created_at"]
    assert fresh["serial"] != before["serial"]
    assert fresh["queue_length"] == len("billing")
    assert new_id.version == 7
    assert await office.values(dead_id) == {**before, "replays": 1}


async def test_a_replay_runs_and_may_be_repeated(office: Office) -> None:
    seen: list[int] = []

    @office.soniq.job(name="send")
    async def send(number: int) -> None:
        seen.append(number)

    dead_id = await office.one(args={"number": 3}, expires_at=LONG_AGO)
    first, second = [await office.letters.replay(dead_id) for _ in range(2)]
    await Worker(office.soniq, run_once=True).run()
    assert seen == [3, 3]
    assert {(await office.row(one)).state for one in (first, second)} == {"done"}
    assert (await office.row(dead_id)).replays == 2


@pytest.mark.parametrize("state", ["done", "cancelled", "queued", "processing", None])
async def test_only_a_dead_job_is_replayed(office: Office, state: str | None) -> None:
    job_id = await office.one(state=state) if state else uuid4()
    with pytest.raises(JobNotFoundError, match=str(job_id)):
        await office.letters.replay(job_id)
    assert not await office.fresh()


async def test_a_replay_that_died_is_replayed_like_any_other(office: Office) -> None:
    first = await office.one()
    second = await office.letters.replay(first)
    await office.rows("UPDATE soniq_jobs SET state = 'dead', finished_at = now()")
    third = await office.letters.replay(second)
    assert (await office.row(third)).replay_of == second
    assert [(await office.row(one)).replays for one in (first, second)] == [1, 1]


async def test_replays_at_once_of_one_job_are_all_made_and_counted(office: Office) -> None:
    dead_id = await office.one()
    async with office.engine.begin() as holding:
        await holding.exec_driver_sql("SELECT 1 FROM soniq_jobs FOR UPDATE")
        replays = [asyncio.create_task(office.letters.replay(dead_id)) for _ in range(4)]
        await office.waiting_for_locks(4)
    new_ids = set(await asyncio.gather(*replays))
    assert len(new_ids) == 4
    assert (await office.row(dead_id)).replays == 4
    assert {row.id for row in await office.fresh()} == new_ids


async def test_a_replay_of_what_is_deleted_meanwhile_finds_nothing(office: Office) -> None:
    dead_id = await office.one()
    async with office.sessions.begin() as session:
        assert await office.letters.purge(older_than=0, session=session) == 1
        replay = asyncio.create_task(office.letters.replay(dead_id))
        await office.waiting_for_locks(1)
    with pytest.raises(JobNotFoundError):
        await replay
    assert not await office.rows("SELECT 1 FROM soniq_jobs")


async def test_a_purge_leaves_what_is_being_replayed(office: Office) -> None:
    dead_id, _ = await office.add(2)
    async with office.sessions.begin() as session:
        await office.letters.replay(dead_id, session=session)
        assert await office.letters.purge(older_than=0) == 1
    assert {row.id for row in await office.rows("SELECT id FROM soniq_jobs")} >= {dead_id}
    assert len(await office.fresh()) == 1


async def test_many_are_replayed_in_the_order_of_their_deaths(office: Office) -> None:
    dead_ids = await office.add(2_300)
    assert await office.letters.replay_many() == 2_300
    assert [row.replay_of for row in await office.fresh()] == dead_ids
    (row,) = await office.rows("SELECT min(replays), max(replays) FROM soniq_jobs")
    assert tuple(row) == (1, 1)


async def test_many_that_were_replayed_are_left_out_unless_asked_for(office: Office) -> None:
    first, second = await office.add(2)
    await office.letters.replay(first)
    assert await office.letters.replay_many() == 1
    assert await office.letters.replay_many() == 0
    assert await office.letters.replay_many(replayed=None) == 2
    assert await office.letters.replay_many(replayed=True, limit=1) == 1
    assert [(await office.row(one)).replays for one in (first, second)] == [3, 2]


@pytest.mark.parametrize("limit", [1, 999, 1_000, 1_001, 1_500])
async def test_the_limit_is_the_number_of_jobs_that_are_touched(office: Office, limit: int) -> None:
    await office.add(1_500)
    assert await office.letters.replay_many(limit=limit, replayed=None) == limit
    (row,) = await office.rows("SELECT count(*) FROM soniq_jobs WHERE replays = 1")
    assert (row[0], len(await office.fresh())) == (limit, limit)


async def test_two_replays_of_many_at_once_replay_each_job_once(office: Office) -> None:
    await office.add(3_000)
    counts = await asyncio.gather(*[office.letters.replay_many() for _ in range(3)])
    assert sum(counts) + await office.letters.replay_many() == 3_000
    (row,) = await office.rows("SELECT min(replays), max(replays) FROM soniq_jobs")
    assert tuple(row) == (1, 1)
    assert len(await office.fresh()) == 3_000


async def test_what_dies_while_many_are_replayed_is_not_replayed_again(office: Office) -> None:
    await office.rows("""
        CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            NEW.state := 'dead'; NEW.finished_at := clock_timestamp(); RETURN NEW; END $$
    """)
    await office.add(1_200)
    await office.rows(
        "CREATE TRIGGER die BEFORE INSERT ON soniq_jobs FOR EACH ROW EXECUTE FUNCTION die()"
    )
    assert await office.letters.replay_many() == 1_200


async def test_workers_are_woken_after_the_commit(office: Office) -> None:
    first = await office.one(queue="a")
    await office.one(queue="b")
    async with office.listening() as heard:
        async with office.sessions.begin() as session:
            await office.letters.replay(first, session=session)
            await office.letters.replay_many(session=session)
            assert not await office.fresh()
            assert not heard
        await office.until(lambda: heard == ["a,b"])


async def test_nothing_is_left_of_a_replay_that_is_rolled_back(office: Office) -> None:
    dead_id = await office.one()
    async with office.listening() as heard:
        async with office.sessions() as session:
            await office.letters.replay(dead_id, session=session)
            await session.rollback()
        await office.letters.replay(await office.one(queue="marker"))
        await office.until(lambda: heard)
    assert set(heard) == {"marker"}
    assert (await office.row(dead_id)).replays is None


async def test_a_savepoint_takes_its_replays_with_it(office: Office) -> None:
    first, second = await office.add(2)
    async with office.sessions.begin() as session:
        await office.letters.replay(first, session=session)
        savepoint = await session.begin_nested()
        await office.letters.replay(second, session=session)
        await savepoint.rollback()
    assert [row.replay_of for row in await office.fresh()] == [first]


async def test_the_time_until_a_replay_is_due_is_none(office: Office) -> None:
    dead_id = await office.one(run_at=LONG_AGO + timedelta(days=365_000))
    new_id: UUID = await office.letters.replay(dead_id)
    (row,) = await office.rows("SELECT run_at <= now() FROM soniq_jobs WHERE id = :id", id=new_id)
    assert row[0] is True
