"""With ``notify="trigger"`` a worker is woken whoever inserts a job, and however."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from soniq_sa import AsyncSoniqSession, SchemaMissingError, Soniq, Worker
from soniq_sa.engines import asyncpg_url, make_async_engine, make_sync_engine
from soniq_sa.localserver import LocalServer
from soniq_sa.localserver.databases import libpq_url
from soniq_sa.models import include_tables
from tests.runtime.bench import Bench


class Base(DeclarativeBase):
    """The application's base; its job table has the trigger."""


include_tables(Base.metadata, notify="trigger")

INSERT = "INSERT INTO soniq_jobs (id, task, args) VALUES (gen_random_uuid(), 'mark', '{\"n\": %d}')"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ROUNDS = 3
"""Once could be luck: a worker that starts to listen looks for jobs as well."""


class TriggerBench(Bench):
    """An application whose one task notes the numbers that it is given."""

    def __init__(self, engine: AsyncEngine, metadata: MetaData = Base.metadata) -> None:
        super().__init__(engine.url.render_as_string(hide_password=False))
        self.engine = engine
        self.sessions = async_sessionmaker(engine, class_=AsyncSoniqSession)
        self.soniq = Soniq(metadata, engine=engine)
        self.soniq.events.subscribe(self.seen.append)
        self.marks: list[int] = []

        @self.task()
        async def mark(n: int) -> None:
            self.marks.append(n)

    async def until_marked(self, *numbers: int) -> None:
        """Wait until these jobs have run; sooner than the worker polls."""
        wanted = sorted(numbers)
        await self.until(
            lambda: sorted(self.marks) == wanted, lambda: f"{wanted}, not {self.marks}"
        )


@pytest.fixture
def own_url(server: LocalServer) -> Iterator[str]:
    """Return the URL of a database with the tables and the trigger."""
    name = f"trigger_{secrets.token_hex(6)}"
    url = server.create_database(name)
    engine = make_sync_engine(url)
    Base.metadata.create_all(engine)
    engine.dispose()
    yield url
    server.drop_database(name)


@pytest.fixture
async def bench(own_url: str) -> AsyncIterator[TriggerBench]:
    """Return the application."""
    async with application(make_async_engine(own_url)) as made:
        yield made


@pytest.fixture
async def outsider(own_url: str) -> AsyncIterator[Any]:
    """Return a connection that knows nothing of this library."""
    connection = await asyncpg.connect(libpq_url(own_url))
    yield connection
    await connection.close()


async def test_a_plain_insert_wakes_a_worker(bench: TriggerBench, outsider: Any) -> None:
    async with bench.worker():
        for number in range(ROUNDS):
            await outsider.execute(INSERT % number)
            await bench.until_marked(*range(number + 1))


async def test_an_insert_of_many_rows_in_new_queues_wakes_a_worker(
    bench: TriggerBench, outsider: Any
) -> None:
    async with bench.worker():
        for number in range(ROUNDS):
            await outsider.execute(
                "INSERT INTO soniq_jobs (id, task, queue, args) "
                "SELECT gen_random_uuid(), 'mark', $1 || n % 4, jsonb_build_object('n', $2 + n) "
                "FROM generate_series(0, 99) n",
                f"queue-{number}-",
                number * 100,
            )
            await bench.until_marked(*range(number * 100 + 100))


async def test_copy_wakes_a_worker(bench: TriggerBench, outsider: Any) -> None:
    async with bench.worker():
        for number in range(ROUNDS):
            rows = [
                (secrets.token_hex(16), "mark", f'{{"n": {number * 10 + n}}}') for n in range(10)
            ]
            copied = await outsider.copy_records_to_table(
                "soniq_jobs", records=rows, columns=["id", "task", "args"]
            )
            assert copied == "COPY 10"
            await bench.until_marked(*range(number * 10 + 10))


async def test_a_job_that_is_due_soon_starts_then_and_not_at_the_next_poll(
    bench: TriggerBench, outsider: Any
) -> None:
    async with bench.worker():
        for number in range(ROUNDS):
            await outsider.execute(
                "INSERT INTO soniq_jobs (id, task, args, state, run_at) VALUES "
                "(gen_random_uuid(), 'mark', $1, 'scheduled', now() + interval '0.5 s')",
                f'{{"n": {number}}}',
            )
            await bench.until_marked(*range(number + 1))
    rows = await bench.rows("SELECT claimed_at >= run_at AS after FROM soniq_jobs")
    assert all(row.after for row in rows)


async def test_more_queues_than_can_be_named_wake_a_worker(
    bench: TriggerBench, outsider: Any
) -> None:
    async with bench.worker():
        for number in range(ROUNDS):
            await outsider.execute(
                "INSERT INTO soniq_jobs (id, task, queue, args) "
                "SELECT gen_random_uuid(), 'mark', repeat('q', 60) || $1::int || '-' || n, "
                "jsonb_build_object('n', $1::int * 200 + n) FROM generate_series(0, 199) n",
                number,
            )
            await bench.until_marked(*range(number * 200 + 200))


async def test_a_job_of_a_transaction_that_is_open_or_rolled_back_is_not_seen(
    bench: TriggerBench, outsider: Any
) -> None:
    async with bench.worker():
        for number in range(ROUNDS):
            transaction = outsider.transaction()
            await transaction.start()
            await outsider.execute(INSERT % -1)
            await transaction.rollback()
            await outsider.execute(INSERT % number)
            await bench.until_marked(*range(number + 1))


@pytest.mark.parametrize("options", [{"schema": "Work.1", "prefix": "Bg_"}, {"prefix": "it's_"}])
async def test_tables_whose_names_need_quotes(database_url: str, options: dict[str, str]) -> None:
    metadata = MetaData()
    include_tables(metadata, notify="trigger", **options)  # type: ignore[arg-type]
    async with application(make_async_engine(database_url), metadata) as bench:
        await bench.rows('CREATE SCHEMA "Work.1"')
        await bench.soniq.create_all(bench.engine)
        schema = '"Work.1".' if "schema" in options else ""
        await is_woken_by_inserts_into(f'{schema}"{options["prefix"]}jobs"', bench)


async def test_tables_that_the_search_path_finds(database_url: str) -> None:
    engine = create_async_engine(
        asyncpg_url(database_url), connect_args={"server_settings": {"search_path": "tenant"}}
    )
    async with application(engine) as bench:
        await bench.rows("CREATE SCHEMA tenant")
        translated = make_sync_engine(database_url).execution_options(
            schema_translate_map={None: "tenant"}
        )
        bench.soniq.create_all(translated)
        translated.dispose()
        await is_woken_by_inserts_into("soniq_jobs", bench)


@asynccontextmanager
async def application(
    engine: AsyncEngine, metadata: MetaData = Base.metadata
) -> AsyncIterator[TriggerBench]:
    """Make the application of a test with a database of its own."""
    try:
        yield TriggerBench(engine, metadata)
    finally:
        await engine.dispose()


async def is_woken_by_inserts_into(table: str, bench: TriggerBench) -> None:
    """Check that a worker runs at once what is inserted into ``table``."""
    async with bench.worker():
        for number in range(ROUNDS):
            await bench.rows(
                f"INSERT INTO {table} (id, task, args) "  # noqa: S608
                "VALUES (gen_random_uuid(), 'mark', jsonb_build_object('n', CAST(:n AS int)))",
                n=number,
            )
            await bench.until_marked(*range(number + 1))


async def test_jobs_that_python_enqueues_wake_a_worker(bench: TriggerBench) -> None:
    task: Any = next(iter(bench.soniq.tasks))
    async with bench.worker(), bench.sessions() as session:
        for number in range(ROUNDS):
            session.enqueue(task, 4 * number)
            session.enqueue(task.options(delay=0.3, queue="later"), 4 * number + 1)
            session.enqueue(task.options(run_at=LONG_AGO, queue=f"past-{number}"), 4 * number + 2)
            session.enqueue_many(task.options(queue=f"many-{number}"), [{"n": 4 * number + 3}])
            await session.commit()
            await bench.until_marked(*range(4 * number + 4))


async def test_a_worker_does_not_start_without_the_trigger(bench: TriggerBench) -> None:
    await bench.rows("DROP TRIGGER soniq_jobs_wake ON soniq_jobs")
    with pytest.raises(SchemaMissingError, match="the trigger soniq_jobs_wake"):
        await Worker(bench.soniq, run_once=True).run()
