"""Jobs whose retention is over are deleted, by any worker, a page at a time, and nothing else is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Executable, ForeignKey, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from soniq_sa import JobState, Soniq, inject
from soniq_sa.engines import autocommitting, own_async_engine
from soniq_sa.events import DatabaseLost, JobFailed, JobsHeld, JobsPruned
from soniq_sa.link import Link
from soniq_sa.models import JobMixin, include_tables, job_fk
from soniq_sa.runtime.prune import Pruner
from soniq_sa.statements.finish import finish_deleted, finish_done
from soniq_sa.statements.prune import prunable_jobs, prune_jobs
from tests.runtime.bench import PATIENCE, Bench
from tests.runtime.plans import plan_of, uuids

LONG_AGO = "now() - interval '1 day'"
GENERIC = "force_generic_plan"


async def add(bench: Bench, count: int = 1, **columns: str) -> list[UUID]:
    """Insert jobs that are done and due to be deleted, and return their ids in the order of that."""
    values = {
        "id": "gen_random_uuid()",
        "task": "'work'",
        "state": "'done'",
        "finished_at": "now() - interval '2 days'",
        "keep_until": f"{LONG_AGO} + n * interval '1 ms'",
        **columns,
    }
    rows = await bench.rows(
        f"INSERT INTO soniq_jobs ({', '.join(values)}) "  # noqa: S608 - words of this test
        f"SELECT {', '.join(values.values())} FROM generate_series(1, :count) AS n "
        "RETURNING id, keep_until",
        count=count,
    )
    return [
        row.id for row in sorted(rows, key=lambda row: (row.keep_until is None, row.keep_until))
    ]


async def left(bench: Bench) -> set[UUID]:
    """Return the ids of the jobs that are there."""
    return {row.id for row in await bench.rows("SELECT id FROM soniq_jobs")}


def pruner_of(bench: Bench) -> Pruner:
    """Return a pruner that belongs to no worker."""
    engine = AsyncEngine(autocommitting(own_async_engine(bench.engine).sync_engine))
    return Pruner(bench.soniq.events, engine, bench.soniq.models)


async def prune(bench: Bench) -> Pruner:
    """Have a pruner take one turn."""
    pruner = pruner_of(bench)
    async with asyncio.timeout(60):
        while await pruner.run_once() == 0:
            pass
    return pruner


def pruned(bench: Bench) -> int:
    """Return how many jobs were deleted, as the events say."""
    return sum(one.count for one in bench.events_of(JobsPruned))


def held(bench: Bench) -> list[UUID]:
    """Return which jobs were put off, as the events say."""
    return [job_id for one in bench.events_of(JobsHeld) for job_id in one.job_ids]


async def test_a_worker_deletes_what_is_over_and_keeps_the_rest(bench: Bench) -> None:
    over = [
        *await add(bench, 3),
        *await add(bench, state="'cancelled'"),
        *await add(bench, state="'dead'", keep_until="now()"),
        *await add(bench, keep_until="'-infinity'"),
    ]
    kept = [
        *await add(bench, keep_until="now() + interval '1 hour'"),
        *await add(bench, keep_until="NULL"),
        *await add(bench, keep_until="'infinity'"),
    ]
    async with bench.worker():
        await bench.until(lambda: pruned(bench) == len(over), "the jobs to be deleted")
    assert await left(bench) == set(kept)


async def test_a_job_goes_when_its_retention_is_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soniq_sa.runtime.prune.PRUNE_EVERY", 0.1)

    @bench.task(retention=0.5)
    async def work() -> int:
        return 7

    @bench.task()
    async def other() -> None:
        pass

    async with bench.worker():
        handle, kept = await bench.soniq.enqueue(work), await bench.soniq.enqueue(other)
        assert await handle.result(10) == 7
        await bench.until_state(kept, "done")
        await bench.until(lambda: pruned(bench) == 1, "the job to be deleted")
    assert await left(bench) == {kept.id}


async def test_a_job_goes_with_its_attempts_and_its_progress(bench: Bench) -> None:
    (over,) = await add(bench)
    (kept,) = await add(bench, keep_until="NULL")
    for job_id in (over, kept):
        await bench.rows(
            "INSERT INTO soniq_attempts (job_id, claim, outcome) "
            "SELECT :id, n, 'failed' FROM generate_series(1, 3) AS n",
            id=job_id,
        )
        await bench.rows(
            "INSERT INTO soniq_progress (job_id, claim, done) VALUES (:id, 1, 1)", id=job_id
        )
    await prune(bench)
    for table, count in [("soniq_attempts", 3), ("soniq_progress", 1)]:
        rows = await bench.rows(f"SELECT job_id FROM {table}")  # noqa: S608
        assert [row.job_id for row in rows] == [kept] * count


@pytest.mark.parametrize("state", ["scheduled", "queued", "processing"])
async def test_a_job_that_somebody_has_put_back_by_hand_is_not_deleted(
    bench: Bench, state: str
) -> None:
    await add(bench, 2, state=f"'{state}'")
    await prune(bench)
    assert len(await left(bench)) == 2


@pytest.mark.parametrize(
    "change", ["keep_until = now() + interval '1 s'", "keep_until = NULL", "state = 'queued'"]
)
async def test_a_job_that_is_changed_after_the_look_is_looked_at_again(
    bench: Bench, change: str
) -> None:
    ids = await add(bench, 3)
    await bench.rows(f"UPDATE soniq_jobs SET {change} WHERE id = :id", id=ids[1])  # noqa: S608
    async with bench.engine.begin() as connection:
        gone = await connection.execute(prune_jobs(bench.soniq.models), {"ids": ids})
        assert {row.id for row in gone} == {ids[0], ids[2]}


@pytest.mark.parametrize("count", [1_000, 2_500])
async def test_pages_follow_one_another_until_nothing_is_over(bench: Bench, count: int) -> None:
    await add(bench, count)
    await prune(bench)
    assert await left(bench) == set()
    assert [one.count for one in bench.events_of(JobsPruned)] == [
        1_000,
        *([1_000, 500] if count > 1_000 else []),
    ]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("number", [1, 1_000])
async def test_jobs_that_somebody_has_locked_are_passed_over(
    bench: Bench, number: int, *, together: bool
) -> None:
    ids = await add(bench, 1_500, **({"keep_until": LONG_AGO} if together else {}))
    async with bench.engine.begin() as connection:
        locked = ids[:number]
        await connection.execute(
            text("SELECT 1 FROM soniq_jobs WHERE id = ANY(:ids) FOR UPDATE"), {"ids": locked}
        )
        await prune(bench)
        found = await left(bench)
        assert set(locked) <= found
        assert together or set(locked) == found
    await prune(bench)
    assert await left(bench) == set()


async def test_several_at_once_delete_each_job_once(bench: Bench) -> None:
    await add(bench, 5_000)
    await asyncio.gather(*(prune(bench) for _ in range(3)))
    assert await left(bench) == set()
    assert pruned(bench) == 5_000


async def test_a_worker_holds_no_connection_between_two_turns(bench: Bench) -> None:
    await add(bench)
    pruner = await prune(bench)
    assert not pruner.link.connected


class Base(DeclarativeBase):
    """The base of an application whose rows refer to jobs in every way."""


class Job(JobMixin, Base):
    """A job that may refer to another."""

    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("soniq_jobs.id"))


class Report(Base):
    """Rows that keep their job, and rows that do not."""

    __tablename__ = "reports"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("soniq_jobs.id"), index=True)
    kept_id: Mapped[UUID | None] = mapped_column(job_fk(ondelete="RESTRICT"))
    loose_id: Mapped[UUID | None] = mapped_column(job_fk())


class Line(Base):
    """Rows that go with their job."""

    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[UUID | None] = mapped_column(job_fk(ondelete="CASCADE"))


include_tables(Base.metadata)


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Bench]:
    """Return an application whose rows refer to jobs."""
    made = Bench(database_url)
    made.soniq = Soniq(Base.metadata, engine=made.engine)
    made.soniq.events.subscribe(made.seen.append)
    await made.soniq.create_all(made.engine)
    async with made.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield made
    await made.engine.dispose()


@pytest.mark.parametrize("column", ["job_id", "kept_id"])
async def test_a_job_that_a_row_refers_to_is_put_off_and_the_others_go(
    office: Bench, column: str
) -> None:
    ids = await add(office, 20)
    await office.rows(
        f"INSERT INTO reports ({column}) SELECT unnest(CAST(:ids AS uuid[]))",
        ids=ids[5:8],
    )
    await prune(office)
    assert await left(office) == set(ids[5:8]) == set(held(office))
    assert pruned(office) == 17
    assert "reports.job_id" in office.events_of(JobsHeld)[0].why
    assert not office.events_of(DatabaseLost)
    await prune(office)
    assert len(office.events_of(JobsHeld)) == 1
    await office.rows("DELETE FROM reports")
    await office.rows(f"UPDATE soniq_jobs SET keep_until = {LONG_AGO}")  # noqa: S608
    await prune(office)
    assert await left(office) == set()


async def test_rows_that_let_go_or_go_along_keep_no_job(office: Bench) -> None:
    (first, second) = await add(office, 2)
    await office.rows("INSERT INTO reports (loose_id) VALUES (:id)", id=first)
    await office.rows("INSERT INTO lines (job_id) VALUES (:id)", id=second)
    await prune(office)
    assert await left(office) == set()
    assert [row.loose_id for row in await office.rows("SELECT * FROM reports")] == [None]
    assert await office.rows("SELECT * FROM lines") == []


async def test_a_job_that_another_job_refers_to_goes_after_that(office: Bench) -> None:
    (parent,) = await add(office)
    (child,) = await add(office, parent_id=f"'{parent}'", keep_until="NULL")
    await prune(office)
    assert await left(office) == {parent, child}
    await office.rows(f"UPDATE soniq_jobs SET keep_until = {LONG_AGO} WHERE id = :id", id=child)  # noqa: S608
    await prune(office)
    await office.rows(f"UPDATE soniq_jobs SET keep_until = {LONG_AGO}")  # noqa: S608
    await prune(office)
    assert await left(office) == set()


@pytest.mark.parametrize(
    ("age", "shortest", "longest"),
    [("1 minute", 3_600, 3_600), ("1 day", 86_400, 90_000), ("1 year", 604_800, 604_800)],
)
async def test_a_held_job_is_tried_again_after_as_long_as_it_has_been_kept(
    office: Bench, age: str, shortest: int, longest: int
) -> None:
    (job_id,) = await add(office, finished_at=f"now() - interval '{age}'")
    await office.rows("INSERT INTO reports (job_id) VALUES (:id)", id=job_id)
    before = (await office.rows("SELECT clock_timestamp()"))[0][0]
    await prune(office)
    after = (await office.rows("SELECT clock_timestamp()"))[0][0]
    row = await office.row(job_id)
    assert (row.keep_until - before).total_seconds() >= shortest
    assert (row.keep_until - after).total_seconds() <= longest


@pytest.mark.parametrize("deferred", ["", "DEFERRABLE INITIALLY DEFERRED"])
@pytest.mark.parametrize("number", [1, 4])
async def test_what_only_the_database_knows_of_holds_a_job_as_well(
    bench: Bench, number: int, deferred: str
) -> None:
    ids = await add(bench, 200)
    await bench.rows(
        f"CREATE TABLE elsewhere (job_id uuid PRIMARY KEY REFERENCES soniq_jobs {deferred})"
    )
    kept = ids[:: 200 // number]
    await bench.rows("INSERT INTO elsewhere SELECT unnest(CAST(:ids AS uuid[]))", ids=kept)
    await prune(bench)
    assert await left(bench) == set(kept) == set(held(bench))
    assert "elsewhere" in bench.events_of(JobsHeld)[0].why
    assert not bench.events_of(DatabaseLost)


async def test_a_page_that_is_refused_all_over_is_put_off_as_a_whole(bench: Bench) -> None:
    ids = await add(bench, 1_200)
    await bench.rows("CREATE TABLE elsewhere (job_id uuid PRIMARY KEY REFERENCES soniq_jobs)")
    await bench.rows("INSERT INTO elsewhere SELECT unnest(CAST(:ids AS uuid[]))", ids=ids[:1_000])
    await prune(bench)
    assert set(held(bench)) >= set(ids[:1_000])
    assert await left(bench) == set(held(bench))
    assert len(bench.events_of(JobsHeld)) < 50
    assert ids[-1] not in await left(bench)


async def test_held_jobs_are_said_in_the_log(
    office: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    ids = await add(office, 3)
    await office.rows("INSERT INTO reports (job_id) SELECT unnest(CAST(:ids AS uuid[]))", ids=ids)
    with caplog.at_level(logging.WARNING, "soniq_sa"):
        async with office.worker():
            await office.until(lambda: bool(office.events_of(JobsHeld)), "the event")
    assert "3 jobs whose retention is over cannot be deleted" in caplog.text
    assert "reports.job_id" in caplog.text


@pytest.mark.parametrize("referred", [True, False], ids=["by a row", "by none"])
async def test_where_rows_keep_their_jobs_a_retention_of_0_is_left_to_the_pruning(
    office: Bench,
    referred: bool,  # noqa: FBT001
) -> None:
    async def work(session: AsyncSession = inject()) -> None:
        if referred:
            await session.execute(
                text("INSERT INTO reports (job_id) SELECT id FROM soniq_jobs WHERE task = 'work'")
            )

    handle = await office.soniq.enqueue(office.task(retention=0)(work))
    async with office.worker():
        row = await office.until_state(handle, "done")
    assert (row.attempts, row.keep_until >= row.finished_at) == (1, True)
    await prune(office)
    assert await left(office) == ({handle.id} if referred else set())
    assert office.events_of(JobFailed) == []


async def test_where_deleting_takes_too_long_fewer_jobs_are_deleted_at_a_time(
    bench: Bench,
) -> None:
    """A foreign key without an index costs a walk through its table for each job."""
    await add(bench, 300)
    await bench.rows(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM pg_sleep(0.01); RETURN OLD; END $$"
    )
    await bench.rows(
        "CREATE TRIGGER dawdle BEFORE DELETE ON soniq_jobs FOR EACH ROW EXECUTE FUNCTION dawdle()"
    )
    pruner = pruner_of(bench)
    pruner.link = Link(pruner.link._engine, deadline=0.5)  # noqa: SLF001
    pruner.start()

    async def is_empty() -> bool:
        return not await left(bench)

    await bench.until(is_empty, "the jobs to be deleted", 60)
    await pruner.stop()
    await pruner.close()
    assert "canceling statement" in bench.events_of(DatabaseLost)[0].error
    assert pruned(bench) == 300


async def test_a_pruner_that_is_stopped_does_not_wait_for_a_long_statement(bench: Bench) -> None:
    await add(bench)
    pruner = pruner_of(bench)
    pruner.link = Link(pruner.link._engine, deadline=60)  # noqa: SLF001
    async with bench.engine.connect() as connection:
        await connection.execute(text("LOCK TABLE soniq_progress IN ACCESS EXCLUSIVE MODE"))
        pruner.start()

        async def waits() -> bool:
            return bool(await bench.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))

        await bench.until(waits, "the pruner to wait for the table")
        async with asyncio.timeout(PATIENCE):
            await pruner.stop()
    await pruner.close()


@pytest.mark.parametrize("analyzed", ["before", "between", "after"])
async def test_among_100_000_jobs_pruning_touches_what_it_deletes(
    bench: Bench, analyzed: str
) -> None:
    """With statistics of an empty table, of one where nothing was over, and right ones."""
    if analyzed == "before":
        await bench.rows("ANALYZE soniq_jobs")
    await add(bench, 100_000, keep_until="now() + n * interval '1 s'")
    await add(bench, 20_000, state="'queued'", keep_until="NULL", finished_at="NULL")
    if analyzed == "between":
        await bench.rows("ANALYZE soniq_jobs")
    over = await add(bench, 30_000)
    if analyzed == "after":
        await bench.rows("ANALYZE soniq_jobs")
    models = bench.soniq.models
    async with bench.engine.connect() as connection, connection.begin():
        await connection.execute(text("SET LOCAL enable_sort = off"))
        look = await plan_of(
            connection, prunable_jobs(models), mode=GENERIC, page_size="1000", since="NULL"
        )
        assert "ix_soniq_jobs_prune_1" in look.used
        assert look.touched <= 1_000
        deletion = await plan_of(
            connection, prune_jobs(models), mode=GENERIC, ids=uuids(over[:1_000])
        )
        assert deletion.used["soniq_jobs_pkey"] == 2
        assert "Seq Scan" not in deletion.used
        assert deletion.touched <= 1_000


@pytest.mark.parametrize("analyzed", ["before", "after"])
@pytest.mark.parametrize("retention", [60, 0])
async def test_among_100_000_jobs_an_end_touches_what_it_ends(
    bench: Bench, retention: int, analyzed: str
) -> None:
    if analyzed == "before":
        await bench.rows("ANALYZE soniq_jobs")
    await add(bench, 100_000)
    owner = uuid4()
    running = await add(
        bench,
        1_000,
        state="'processing'",
        claims="1",
        worker_id=f"'{owner}'",
        keep_until="NULL",
        finished_at="NULL",
    )
    if analyzed == "after":
        await bench.rows("ANALYZE soniq_jobs")
    bench.task(name="work", retention=retention)(add)
    models, kept = bench.soniq.models, bench.soniq.tasks.retention()
    statement: Executable = finish_done(models, kept) if retention else finish_deleted(models)
    fence = {"ids": uuids(running[:100]), "claim_number": "1", "owner": f"'{owner}'"}
    async with bench.engine.connect() as connection, connection.begin():
        found = await plan_of(connection, statement, mode=GENERIC, **fence)
    assert found.used["soniq_jobs_pkey"] == 1
    assert "Seq Scan" not in found.used
    assert found.touched <= 100


async def test_a_page_begins_where_the_last_one_ended(bench: Bench) -> None:
    """Deleted rows keep their entries at the head of the index until it is vacuumed."""
    over = await add(bench, 3_000)
    statement = prunable_jobs(bench.soniq.models)
    seen: list[UUID] = []
    since = None
    async with bench.engine.connect() as connection:
        while len(seen) < 3_000:
            found = await connection.execute(statement, {"page_size": 1_001, "since": since})
            rows = found.all()
            seen += [row.id for row in rows if row.id not in seen]
            since = rows[-1].keep_until
    assert seen == over


async def test_nothing_is_pruned_for_a_state_that_is_none_of_an_end(bench: Bench) -> None:
    for state in JobState:
        await add(bench, state=f"'{state}'", worker_id=f"'{uuid4()}'")
    await prune(bench)
    rows = await bench.rows("SELECT state FROM soniq_jobs ORDER BY state")
    assert [row.state for row in rows] == ["processing", "queued", "scheduled"]
