"""A handler with a session: its effects and the end of its job are committed together, or not at all."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import inject
from soniq_sa.events import JobsDone
from tests.runtime.bench import Bench
from tests.runtime.models import Effect, Order, Receipt


async def test_effects_and_done_are_committed_by_one_transaction(bench: Bench) -> None:
    @bench.task()
    async def note(session: AsyncSession = inject()) -> None:
        session.add(Effect(note="async"))

    @bench.task()
    def note_sync(session: Session = inject()) -> None:
        session.add(Effect(note="sync"))

    handles = [await bench.soniq.enqueue(task) for task in (note, note_sync)]
    async with bench.worker():
        for handle in handles:
            await bench.until_state(handle, "done")
    transactions = await bench.rows("SELECT xmin::text FROM effects ORDER BY note")
    ends = await bench.rows("SELECT xmin::text FROM soniq_jobs ORDER BY task")
    assert transactions == ends
    assert len(set(transactions)) == 2


async def test_the_finish_is_the_last_statement_before_the_commit(bench: Bench) -> None:
    statements: list[str] = []

    @event.listens_for(bench.engine.sync_engine, "before_cursor_execute")
    def _note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "effects" in statement or "soniq_jobs" in statement:
            statements.append(statement.split(maxsplit=1)[0])

    @event.listens_for(bench.engine.sync_engine, "commit")
    def _commit(_connection: Any) -> None:
        statements.append("COMMIT")

    @bench.task()
    async def note(session: AsyncSession = inject()) -> None:
        statements.clear()
        await session.execute(select(Effect))
        session.add(Effect(note="unflushed"))

    await bench.soniq.enqueue(note)
    async with bench.worker():
        await bench.until(lambda: bool(bench.events_of(JobsDone)), "the end of the job")
    assert statements == ["SELECT", "INSERT", "UPDATE", "COMMIT"]


async def test_an_exception_rolls_the_effects_back_and_is_retried(bench: Bench) -> None:
    @bench.task(retries=1, retry_delay=0)
    async def note(session: AsyncSession = inject()) -> None:
        seen = await session.scalar(select(Effect))
        session.add(Effect(note="again" if seen else "first"))
        await session.flush()
        raise ValueError("no")

    handle = await bench.soniq.enqueue(note)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert await bench.effects() == []
    assert row.attempts == 2


async def test_a_commit_by_the_handler_is_refused(bench: Bench) -> None:
    @bench.task(retries=0)
    async def note(session: AsyncSession = inject()) -> None:
        session.add(Effect(note="mine"))
        await session.commit()

    @bench.task(retries=0)
    def note_sync(session: Session = inject()) -> None:
        session.add(Effect(note="mine"))
        session.commit()

    @bench.task(retries=0)
    async def note_in_savepoint(session: AsyncSession = inject()) -> None:
        await session.begin_nested()
        session.add(Effect(note="mine"))
        await session.commit()

    handles = [await bench.soniq.enqueue(task) for task in (note, note_sync, note_in_savepoint)]
    async with bench.worker():
        for handle in handles:
            row = await bench.until_state(handle, "dead")
            assert "CommitRefusedError" in row.error
            assert "commit()" in row.error
    assert await bench.effects() == []


async def test_a_swallowed_refusal_does_not_commit_half_of_the_handler(bench: Bench) -> None:
    @bench.task(retries=0)
    async def note(session: AsyncSession = inject()) -> None:
        session.add(Effect(note="before"))
        try:
            await session.commit()
        except Exception:  # noqa: BLE001 - as handlers do
            session.add(Effect(note="after"))

    handle = await bench.soniq.enqueue(note)
    async with bench.worker():
        await bench.until(lambda: bench_ended(bench, handle), "the job to end")
    row = await bench.row(handle)
    effects = await bench.effects()
    assert (row.state, effects) in [("done", ["before", "after"]), ("dead", [])]


async def bench_ended(bench: Bench, handle: Any) -> bool:
    """Tell whether a job has an end."""
    return (await bench.row(handle)).state in {"done", "dead"}


async def test_savepoints_inside_the_handler_work(bench: Bench) -> None:
    @bench.task()
    async def note(session: AsyncSession = inject()) -> None:
        async with session.begin_nested():
            session.add(Effect(note="kept"))
        savepoint = await session.begin_nested()
        session.add_all([Effect(note="dropped"), Receipt(number=1), Receipt(number=1)])
        with pytest.raises(IntegrityError):
            await session.flush()
        await savepoint.rollback()
        session.add(Effect(note="last"))

    handle = await bench.soniq.enqueue(note)
    async with bench.worker():
        await bench.until_state(handle, "done")
    assert await bench.effects() == ["kept", "last"]


async def test_a_rollback_by_the_handler_drops_what_was_before_and_the_job_is_still_done(
    bench: Bench,
) -> None:
    @bench.task()
    async def note(session: AsyncSession = inject()) -> None:
        session.add(Effect(note="dropped"))
        await session.flush()
        await session.rollback()
        session.add(Effect(note="kept"))

    @bench.task()
    def note_sync(session: Session = inject()) -> None:
        session.add(Effect(note="dropped"))
        session.flush()
        session.rollback()

    handles = [await bench.soniq.enqueue(task) for task in (note, note_sync)]
    async with bench.worker():
        for handle in handles:
            await bench.until_state(handle, "done")
    assert await bench.effects() == ["kept"]


@pytest.mark.parametrize("kind", ["flush", "statement"])
async def test_a_swallowed_database_error_fails_the_attempt(bench: Bench, kind: str) -> None:
    await bench.add(Receipt(number=1))

    @bench.task(retries=0)
    async def note(session: AsyncSession = inject()) -> None:
        session.add(Effect(note="lost with the transaction"))
        await session.flush()
        try:
            if kind == "flush":
                session.add(Receipt(number=1))
                await session.flush()
            else:
                await session.execute(text("INSERT INTO receipts (number) VALUES (1)"))
        except IntegrityError:
            pass

    handle = await bench.soniq.enqueue(note)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert row.reason == "retries exhausted"
    assert await bench.effects() == []


async def test_jobs_enqueued_by_a_handler_belong_to_its_transaction(bench: Bench) -> None:
    @bench.task()
    async def child(number: int) -> None:
        pass

    @bench.task(retries=0)
    async def parent(*, fail: bool, session: AsyncSession = inject()) -> None:
        order = Order(total=1)
        session.add(order)
        session.enqueue(child, 1)
        if fail:
            await session.flush()
            raise ValueError("no")

    good = await bench.soniq.enqueue(parent, fail=False)
    bad = await bench.soniq.enqueue(parent, fail=True)
    async with bench.worker():
        await bench.until_state(good, "done")
        await bench.until_state(bad, "dead")
        await bench.until(
            lambda: states_of(bench, "child", ["done"]), "one child, woken without polling"
        )


async def states_of(bench: Bench, task: str, states: list[str]) -> bool:
    """Tell whether the jobs of a task have these states."""
    rows = await bench.rows("SELECT state FROM soniq_jobs WHERE task = :task", task=task)
    return [row.state for row in rows] == states


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
async def test_heartbeats_do_not_disturb_handlers_of_a_stricter_isolation_level(
    url: str, level: str
) -> None:
    bench = Bench(url, isolation_level=level)

    @bench.task(retries=0)
    async def note(session: AsyncSession = inject()) -> None:
        session.add(Effect(note=level))
        await session.flush()
        started = await session.scalar(text("SELECT now()"))
        assert await session.scalar(text("SHOW transaction_isolation")) == level.lower()

        async def beaten_twice() -> bool:
            rows = await Bench.rows(beside, "SELECT beat_at FROM soniq_workers")
            beats.update(row.beat_at for row in rows)
            return len([one for one in beats if one > started]) >= 3

        beats: set[Any] = set()
        await Bench.until(beaten_twice, "three heartbeats")

    beside = Bench(url)
    handle = await bench.soniq.enqueue(note)
    async with bench.worker(lease=1, heartbeat=0.1):
        row = await beside.until_state(handle, "done")
    assert row.claims == 1
    assert await bench.effects() == [level]
    for one in (bench, beside):
        await one.engine.dispose()


async def test_handlers_with_sessions_wait_for_the_pool_outside_their_time_limit(
    url: str,
) -> None:
    bench = Bench(url)
    assert bench.engine.pool.size() == 5  # type: ignore[attr-defined]
    most, running = 0, 0

    @bench.task(retries=0, timeout=2)
    async def note(session: AsyncSession = inject()) -> None:
        nonlocal most, running
        running += 1
        most = max(most, running)
        session.add(Effect(note="x"))
        await session.flush()
        await asyncio.sleep(0.02)
        running -= 1

    async with bench.sessions.begin() as session:
        handles = session.enqueue_many(note, [{}] * 60)
    async with bench.worker(concurrency=60):
        for handle in handles:
            await bench.until_state(handle, "done")
    assert len(await bench.effects()) == 60
    assert most <= 15
    await bench.engine.dispose()
