"""Every end of a job says until when the job is kept; with a retention of 0 nothing is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import Cancel, JobContext, JobHandle, JobNotFoundError, inject
from soniq_sa.events import JobFailed, JobLost, JobsDone
from tests.runtime.bench import Bench
from tests.runtime.models import Effect, Order

SPANS = {"done": 10_000, "cancelled": 20_000, "dead": 30_000}
DEFAULTS: dict[str, Any] = {
    "retention_done": 40_000,
    "retention_cancelled": 50_000,
    "retention_dead": 60_000,
}
TOLERANCE = 1_000
"""Seconds: the end and the time until which a job is kept are two looks at one clock."""

KINDS = ["async", "sync", "async with a session", "sync with a session"]


async def kept_for(bench: Bench, handle: JobHandle[Any]) -> float | None:
    """Return for how many seconds after its end a job is kept; None for ever."""
    row = await bench.row(handle)
    assert row.finished_at is not None
    if row.keep_until is None:
        return None
    return float((row.keep_until - row.finished_at).total_seconds())


async def is_gone(bench: Bench, *handles: JobHandle[Any]) -> bool:
    """Tell whether jobs, their attempts and their progress are deleted."""
    ids = [handle.id for handle in handles]
    counted = [
        await bench.rows(f"SELECT 1 FROM {table} WHERE {column} = ANY(:ids)", ids=ids)  # noqa: S608
        for table, column in [
            ("soniq_jobs", "id"),
            ("soniq_attempts", "job_id"),
            ("soniq_progress", "job_id"),
        ]
    ]
    return not any(counted)


def returning(bench: Bench, kind: str, value: Any = None, **options: Any) -> Any:
    """Register a task that leaves an effect, if it has a session, and returns ``value``."""

    async def give() -> Any:
        return value

    def give_sync() -> Any:
        return value

    async def give_in_session(session: AsyncSession = inject()) -> Any:
        session.add(Effect(note="done"))
        return value

    def give_in_sync_session(session: Session = inject()) -> Any:
        session.add(Effect(note="done"))
        return value

    handlers = [give, give_sync, give_in_session, give_in_sync_session]
    return bench.task(name="give", **options)(handlers[KINDS.index(kind)])


Ending = Callable[[Bench, JobHandle[Any]], Awaitable[None]]


async def run(bench: Bench, _handle: JobHandle[Any]) -> None:
    """Have a worker run the job."""
    await bench.run_once(**DEFAULTS)


async def cancel_waiting(bench: Bench, handle: JobHandle[Any]) -> None:
    """Cancel the job before a worker has it."""
    await bench.soniq.cancel(handle.id)


async def leave_after_a_cancel(bench: Bench, handle: JobHandle[Any]) -> None:
    """Have the worker give the job back that was to be cancelled."""
    async with bench.worker(drain_timeout=0, **DEFAULTS):
        await bench.until_state(handle, "processing")
        await bench.rows("UPDATE soniq_jobs SET cancel_requested_at = now()")


async def crash(bench: Bench, *, assignment: str) -> None:
    """Have the job found with a worker that does not exist."""
    await bench.rows(
        "UPDATE soniq_jobs SET state = 'processing', claims = 3, worker_id = gen_random_uuid(), "  # noqa: S608
        f"claimed_at = now(), {assignment}"
    )
    await bench.run_once(lease=1, heartbeat=0.3, **DEFAULTS)


async def crash_for_the_third_time(bench: Bench, handle: JobHandle[Any]) -> None:
    """Have the job found with its third dead worker."""
    del handle
    await crash(bench, assignment="crashes = 2")


async def crash_after_a_cancel(bench: Bench, handle: JobHandle[Any]) -> None:
    """Have the job found with a dead worker, and a wish to cancel it."""
    del handle
    await crash(bench, assignment="cancel_requested_at = now()")


async def expire(bench: Bench, handle: JobHandle[Any]) -> None:
    """Have the job found when it is too late for it."""
    del handle
    await bench.rows("UPDATE soniq_jobs SET expires_at = now() - interval '1 s'")
    await bench.run_once(**DEFAULTS)


ENDINGS: dict[str, tuple[Any, Ending, str]] = {
    "without a result": (None, run, "done"),
    "with a result": (7, run, "done"),
    "by an error": (ValueError("no"), run, "dead"),
    "cancelled by its handler": (Cancel("not wanted"), run, "cancelled"),
    "cancelled while it waits": (None, cancel_waiting, "cancelled"),
    "cancelled as its worker leaves": (asyncio.Event(), leave_after_a_cancel, "cancelled"),
    "crashed": (None, crash_for_the_third_time, "dead"),
    "crashed after a cancel": (None, crash_after_a_cancel, "cancelled"),
    "expired": (None, expire, "dead"),
}


def ending(bench: Bench, end: Any, **options: Any) -> Any:
    """Register a task whose handler ends as ``end`` says."""

    @bench.task(name="work", retries=0, **options)
    async def work() -> Any:
        if isinstance(end, Exception):
            raise end
        if isinstance(end, asyncio.Event):
            await asyncio.Event().wait()
        return end

    return work


@pytest.mark.parametrize("own", [True, False], ids=["of the task", "of the settings"])
@pytest.mark.parametrize("name", ENDINGS)
async def test_each_end_counts_the_retention_of_its_state(
    bench: Bench,
    name: str,
    own: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for setting, seconds in DEFAULTS.items():
        monkeypatch.setenv(f"SONIQ_SA_{setting.upper()}", str(seconds))
    end, bring_about, state = ENDINGS[name]
    task = ending(bench, end, **({"retention": SPANS} if own else {}))
    handle = await bench.soniq.enqueue(task)
    await bring_about(bench, handle)
    assert (await bench.row(handle)).state == state
    wanted = SPANS[state] if own else DEFAULTS[f"retention_{state}"]
    assert await kept_for(bench, handle) == pytest.approx(wanted, abs=TOLERANCE)


@pytest.mark.parametrize("own", [True, False], ids=["of the task", "of the settings"])
@pytest.mark.parametrize("name", ENDINGS)
async def test_for_ever_is_no_time_at_all(
    bench: Bench,
    name: str,
    own: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end, bring_about, state = ENDINGS[name]
    forever = {"done": None, "cancelled": None, "dead": None}
    if not own:
        for setting in DEFAULTS:
            monkeypatch.setenv(f"SONIQ_SA_{setting.upper()}", "none")
            monkeypatch.setitem(DEFAULTS, setting, "none")
    handle = await bench.soniq.enqueue(
        ending(bench, end, **({"retention": forever} if own else {}))
    )
    await bring_about(bench, handle)
    assert (await bench.row(handle)).state == state
    assert await kept_for(bench, handle) is None


@pytest.mark.parametrize("value", [None, 7], ids=["without a result", "with a result"])
@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_handler_counts_it(bench: Bench, kind: str, value: Any) -> None:
    handle = await bench.soniq.enqueue(returning(bench, kind, value, retention=SPANS))
    await bench.run_once()
    assert await kept_for(bench, handle) == pytest.approx(SPANS["done"], abs=TOLERANCE)


async def test_tasks_of_one_batch_have_each_their_own(bench: Bench) -> None:
    together = asyncio.Barrier(4)

    async def work() -> None:
        await together.wait()

    spans: dict[str, Any] = {"short": 10_000, "long": 20_000, "eternal": None}
    for name, span in spans.items():
        bench.task(name=name, retention=span)(work)
    bench.task(name="silent")(work)
    async with bench.sessions.begin() as session:
        handles = {
            name: session.enqueue(bench.soniq.tasks.get(name)) for name in (*spans, "silent")
        }
    await bench.run_once(retention_done=30_000)
    for name, span in {**spans, "silent": 30_000}.items():
        found = await kept_for(bench, handles[name])
        assert found == (None if span is None else pytest.approx(span, abs=TOLERANCE))


async def test_a_job_under_an_earlier_name_is_kept_as_its_task_says(bench: Bench) -> None:
    @bench.task(aliases=["labour"], retention=10_000)
    async def work() -> None:
        pass

    ((job_id,),) = await bench.rows(
        "INSERT INTO soniq_jobs (id, task) VALUES (gen_random_uuid(), 'labour') RETURNING id"
    )
    await bench.run_once()
    found = await kept_for(bench, JobHandle(job_id, "labour"))
    assert found == pytest.approx(10_000, abs=TOLERANCE)


async def test_a_job_that_has_not_ended_is_kept_without_an_end(bench: Bench) -> None:
    @bench.task(retry_delay=600, retention=0)
    async def fail() -> None:
        raise ValueError

    handle = await bench.soniq.enqueue(fail)
    waiting = await bench.soniq.enqueue(fail.options(delay=600))
    await bench.run_once()
    assert (await bench.row(handle)).state == "scheduled"
    for one in (handle, waiting):
        assert (await bench.row(one)).keep_until is None


@pytest.mark.parametrize("value", [None, 7], ids=["without a result", "with a result"])
@pytest.mark.parametrize("kind", KINDS)
async def test_with_a_retention_of_0_the_end_deletes_the_job(
    bench: Bench, kind: str, value: Any
) -> None:
    task = returning(bench, kind, value, retention=0)
    async with bench.sessions.begin() as session:
        handles = session.enqueue_many(task, [{}] * 20)
    async with bench.worker():
        await bench.until(lambda: is_gone(bench, *handles), "the jobs to be gone")
        await bench.until(
            lambda: sum(len(one.job_ids) for one in bench.events_of(JobsDone)) == 20, "the events"
        )
    assert len(await bench.effects()) == ("session" in kind) * 20
    assert bench.events_of(JobLost) == bench.events_of(JobFailed) == []


@pytest.mark.parametrize("kind", ["async", "async with a session"])
async def test_the_setting_0_deletes_every_job_but_those_of_tasks_that_say_otherwise(
    bench: Bench, kind: str
) -> None:
    @bench.task(retention=10_000)
    async def keeping() -> None:
        pass

    kept = await bench.soniq.enqueue(keeping)
    deleted = await bench.soniq.enqueue(returning(bench, kind))
    await bench.run_once(retention_done=0)
    assert await is_gone(bench, deleted)
    assert (await bench.row(kept)).state == "done"


@pytest.mark.parametrize("kind", ["async", "async with a session"])
async def test_what_earlier_attempts_left_behind_is_deleted_with_the_job(
    bench: Bench, kind: str
) -> None:
    async def second_time(ctx: JobContext = inject()) -> None:
        if ctx.attempt == 1:
            ctx.progress(1, 2)
            raise ValueError("the first time")

    async def second_time_in_session(
        ctx: JobContext = inject(), session: AsyncSession = inject()
    ) -> None:
        session.add(Effect(note=str(ctx.attempt)))
        await second_time(ctx)

    handler: Any = second_time if kind == "async" else second_time_in_session
    handle = await bench.soniq.enqueue(bench.task(retry_delay=0.5, retention=0)(handler))
    async with bench.worker():
        await bench.until_state(handle, "scheduled")
        assert len(await bench.attempts(handle)) == 1
        await bench.until(lambda: is_gone(bench, handle), "the job to be gone")


@pytest.mark.parametrize(
    ("end", "state"), [(ValueError("no"), "dead"), (Cancel("not wanted"), "cancelled")]
)
async def test_an_end_that_is_not_done_deletes_nothing(bench: Bench, end: Any, state: str) -> None:
    handle = await bench.soniq.enqueue(ending(bench, end, retention={state: 0, "done": 0}))
    async with bench.worker():
        row = await bench.until_state(handle, state)
    assert row.keep_until is not None
    assert len(await bench.attempts(handle)) == 1


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
async def test_the_end_of_a_handler_in_a_strict_session_deletes_the_job(
    url: str, isolation: str
) -> None:
    bench = Bench(url, isolation_level=isolation)
    began, leave = asyncio.Event(), asyncio.Event()

    @bench.task(retention=0)
    async def count(order: Order) -> None:
        began.set()
        await leave.wait()
        order.total += 1

    await bench.add(Order(id=1))
    async with bench.sessions.begin() as session:
        handle = session.enqueue(count, await session.get_one(Order, 1))
    async with bench.worker(lease=1, heartbeat=0.2):
        await began.wait()
        leave.set()
        await bench.until(lambda: is_gone(bench, handle), "the job to be gone")
    assert [row.total for row in await bench.rows("SELECT total FROM orders")] == [1]
    assert bench.events_of(JobFailed) == []
    await bench.engine.dispose()


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
async def test_a_job_that_says_its_progress_is_left_to_the_pruning(
    url: str, isolation: str
) -> None:
    """What it said last may still be under way, and would have nobody to belong to."""
    bench = Bench(url, isolation_level=isolation)

    @bench.task(retention=0)
    async def report(ctx: JobContext = inject(), session: AsyncSession = inject()) -> None:
        session.add(Effect(note="done"))
        await session.flush()
        ctx.progress(1, 2)
        await bench.until(said, "the progress to be written")
        ctx.progress(2, 2)

    async def said() -> bool:
        return bool(await bench.rows("SELECT 1 FROM soniq_progress"))

    handle = await bench.soniq.enqueue(report)
    async with bench.worker():
        await bench.until_state(handle, "done")
    assert await kept_for(bench, handle) == pytest.approx(0, abs=TOLERANCE)
    await bench.run_once()
    assert await is_gone(bench, handle)
    assert bench.events_of(JobFailed) == []
    await bench.engine.dispose()


async def test_a_worker_that_lost_the_job_deletes_nothing(bench: Bench) -> None:
    began, leave = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        began.set()
        await leave.wait()

    @bench.task(retention=0)
    async def next_one() -> None:
        pass

    handle = await bench.soniq.enqueue(bench.task(retention=0)(hold))
    async with bench.worker(concurrency=1):
        await began.wait()
        await bench.take_away(claims=8)
        leave.set()
        await bench.until(lambda: bool(bench.events_of(JobLost)), "the loss to be noticed")
        other = await bench.soniq.enqueue(next_one)
        await bench.until(lambda: is_gone(bench, other), "the next job")
        assert (await bench.row(handle)).claims == 9


REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.args->>'note' = 'refused' THEN
        RAISE EXCEPTION 'the books are closed' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN OLD;
END $$
"""
TRIGGER = "CREATE TRIGGER refuse BEFORE DELETE ON soniq_jobs FOR EACH ROW EXECUTE FUNCTION refuse()"


@pytest.mark.parametrize("kind", ["async", "async with a session"])
async def test_jobs_that_cannot_be_deleted_are_done_all_the_same(bench: Bench, kind: str) -> None:
    together = asyncio.Barrier(4)

    async def work(note: str) -> str | None:
        if note != "refused" or kind == "async":
            async with asyncio.timeout(10):
                await together.wait()
        return note if note == "b" else None

    async def work_in_session(note: str, session: AsyncSession = inject()) -> str | None:
        session.add(Effect(note=note))
        return note if note == "b" else None

    await bench.rows(REFUSE)
    await bench.rows(TRIGGER)
    handler: Any = work if kind == "async" else work_in_session
    task = bench.task(name="work", retries=0, retention=0)(handler)
    notes = ["a", "refused", "b", "c"]
    async with bench.sessions.begin() as session:
        handles = session.enqueue_many(task, [{"note": note} for note in notes])
    async with bench.worker():
        row = await bench.until_state(handles[1], "done")
        assert (row.attempts, row.error, row.reason) == (1, None, None)
        for handle in (handles[0], handles[2], handles[3]):
            await bench.until(lambda h=handle: ended(bench, h), "the neighbours to end")  # type: ignore[misc]
    assert bench.events_of(JobFailed) == []
    if "session" in kind:
        assert sorted(map(str, await bench.effects())) == sorted(notes)


async def ended(bench: Bench, handle: JobHandle[Any]) -> bool:
    """Tell whether a job is done or gone."""
    rows = await bench.rows("SELECT state FROM soniq_jobs WHERE id = :id", id=handle.id)
    return not rows or rows[0].state == "done"


async def test_a_batch_is_ended_by_one_statement_whatever_the_retention(bench: Bench) -> None:
    running: list[int] = []
    leave = asyncio.Event()

    async def work() -> None:
        running.append(1)
        await leave.wait()

    tasks = [
        bench.task(name="kept", retention=60)(work),
        bench.task(name="deleted", retention=0)(work),
    ]
    async with bench.sessions.begin() as session:
        for task in tasks:
            session.enqueue_many(task, [{}] * 10)
    await counting(bench)
    async with bench.worker(concurrency=20):
        await bench.until(lambda: len(running) == 20, "the jobs to run")
        leave.set()
        await bench.until(lambda: all_ended(bench), "the jobs to end")
    counted = await bench.rows("SELECT what, count(*) FROM counted GROUP BY what ORDER BY what")
    assert [tuple(row) for row in counted] == [("DELETE", 1), ("UPDATE", 1)]


async def all_ended(bench: Bench) -> bool:
    """Tell whether no job waits or runs."""
    return not await bench.rows("SELECT 1 FROM soniq_jobs WHERE finished_at IS NULL")


async def counting(bench: Bench) -> None:
    """Have the statements counted that end jobs."""
    await bench.rows("CREATE TABLE counted (what text)")
    for what, table, condition in [("UPDATE", "NEW", "state = 'done'"), ("DELETE", "OLD", "true")]:
        await bench.rows(
            f"CREATE FUNCTION note_{what}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # noqa: S608
            f"IF EXISTS (SELECT FROM changed WHERE {condition}) THEN "
            "INSERT INTO counted VALUES (TG_OP); END IF; RETURN NULL; END $$"
        )
        await bench.rows(
            f"CREATE TRIGGER note_{what} AFTER {what} ON soniq_jobs "
            f"REFERENCING {table} TABLE AS changed "
            f"FOR EACH STATEMENT EXECUTE FUNCTION note_{what}()"
        )


async def test_who_waits_for_a_job_that_is_deleted_at_its_end_is_told_why(bench: Bench) -> None:
    leave = asyncio.Event()

    @bench.task(retention=0)
    async def hold() -> int:
        await leave.wait()
        return 7

    @bench.task(retention=0)
    async def quick() -> int:
        return 7

    async with bench.worker():
        handle = await bench.soniq.enqueue(hold)
        await bench.until_state(handle, "processing")
        waiting = handle.future()
        waiting_too = asyncio.create_task(bench.soniq.wait([handle]))
        leave.set()
        with pytest.raises(JobNotFoundError, match="retention was over"):
            await waiting
        assert await waiting_too == ({handle}, set())
        with pytest.raises(JobNotFoundError, match="retention=3600"):
            await (await bench.soniq.enqueue(quick)).result()


async def test_nobody_waits_for_ever_for_a_job_that_was_gone_before(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soniq_sa.waiting._MISSED_FOR", 0.1)
    handle: JobHandle[Any] = bench.soniq.handle(uuid4())
    with pytest.raises(JobNotFoundError):
        await handle.result()
    assert await bench.soniq.wait([handle]) == ({handle}, set())
