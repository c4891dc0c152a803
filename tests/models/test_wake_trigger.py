"""The trigger that wakes the workers: what it says, and how it comes and goes with the tables."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, MetaData, create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped

from soniq_sa import Soniq
from soniq_sa.localserver.databases import libpq_url
from soniq_sa.models import JobMixin, include_tables
from soniq_sa.models.channel import channel_of
from tests.models.migrating import PLUGIN, Migration, migrate

END = "the end"


def included(**options: Any) -> MetaData:
    metadata = MetaData()
    include_tables(metadata, **{"notify": "trigger", **options})
    return metadata


class Ears:
    """What was said on a channel, in its order."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def heard(self) -> list[str]:
        """Return all that was said by now: a word of our own comes last."""
        self._connection.execute("SELECT pg_notify('the end', '')")
        said = []
        for one in self._connection.notifies(timeout=10):
            if one.channel == END:
                return said
            said.append(one.payload)
        raise AssertionError(f"heard only {said}")


@contextmanager
def listening(engine: Engine, channel: str = "soniq_sa:soniq_jobs") -> Iterator[Ears]:
    """Listen on a channel."""
    with psycopg.connect(url_of(engine), autocommit=True) as connection:
        connection.execute(f'LISTEN "{channel}"'.encode())
        connection.execute(f'LISTEN "{END}"'.encode())
        yield Ears(connection)


def url_of(engine: Engine) -> str:
    return libpq_url(engine.url.render_as_string(hide_password=False))


@pytest.fixture
def triggered(engine: Engine) -> Engine:
    """Return an engine on a database with tables that have the trigger."""
    included().create_all(engine)
    return engine


def execute(engine: Engine, *statements: str) -> None:
    """Execute statements in one transaction."""
    with psycopg.connect(url_of(engine)) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def insert(queue: str = "default", state: str = "queued", table: str = "soniq_jobs") -> str:
    return f"INSERT INTO {table} (id, task, queue, state) VALUES (gen_random_uuid(), 'task', '{queue}', '{state}')"  # noqa: S608


def catalog(engine: Engine) -> set[tuple[str, str]]:
    """Return what the user's schemas hold of functions and triggers."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT n.nspname, p.proname FROM pg_proc p "
                "JOIN pg_namespace n ON n.oid = p.pronamespace "
                "WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') "
                "UNION ALL SELECT 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal"
            )
        )
        return {(row[0], row[1]) for row in rows}


OURS = {("public", "soniq_jobs_wake"), ("trigger", "soniq_jobs_wake")}


def test_a_plain_insert_names_its_queue(triggered: Engine) -> None:
    with listening(triggered) as ears:
        execute(triggered, "INSERT INTO soniq_jobs (id, task) VALUES (gen_random_uuid(), 'task')")
        assert ears.heard() == ["default"]


def test_an_insert_of_many_rows_names_all_queues_in_one_notification(triggered: Engine) -> None:
    with listening(triggered) as ears:
        execute(
            triggered,
            "INSERT INTO soniq_jobs (id, task, queue) "
            "SELECT gen_random_uuid(), 'task', 'queue-' || n % 3 FROM generate_series(1, 1000) n",
        )
        assert ears.heard() == ["queue-0,queue-1,queue-2"]


def test_copy_is_one_notification(triggered: Engine) -> None:
    with listening(triggered) as ears:
        with psycopg.connect(url_of(triggered)) as connection:
            with connection.cursor().copy("COPY soniq_jobs (id, task, queue) FROM STDIN") as copy:
                for number in range(100):
                    copy.write_row((f"{number:032x}", "task", f"copied-{number % 2}"))
            assert ears.heard() == []
        assert ears.heard() == ["copied-0,copied-1"]


def test_an_insert_through_psql_is_noticed(triggered: Engine) -> None:
    psql = shutil.which("psql") or next(
        (str(one) for one in sorted(Path("/").glob("usr/lib/postgresql/*/bin/psql"))), None
    )
    if psql is None:
        pytest.skip("there is no psql on this machine")
    with listening(triggered) as ears:
        command = [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", insert("by-psql")]
        done = subprocess.run(
            [*command, url_of(triggered)], check=False, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
        assert ears.heard() == ["by-psql"]


def test_each_statement_is_one_notification(triggered: Engine) -> None:
    with listening(triggered) as ears:
        execute(triggered, insert("a"), insert("b"), insert("a"))
        assert ears.heard() == ["a", "b"], "PostgreSQL itself leaves out what it has heard"


def test_scheduled_jobs_are_hinted_at_whatever_their_queue(triggered: Engine) -> None:
    with listening(triggered) as ears:
        execute(triggered, insert("a", "scheduled"))
        execute(
            triggered,
            "INSERT INTO soniq_jobs (id, task, queue, state) "
            "VALUES (gen_random_uuid(), 'task', 'b', 'queued'), "
            "       (gen_random_uuid(), 'task', 'c', 'scheduled')",
        )
        assert [set(one.split(",")) for one in ears.heard()] == [{"@"}, {"@", "b"}]


@pytest.mark.parametrize("state", ["processing", "done", "cancelled", "dead"])
def test_rows_that_nobody_has_to_look_at_wake_nobody(triggered: Engine, state: str) -> None:
    with listening(triggered) as ears:
        execute(triggered, insert("a", state))
        assert ears.heard() == []


def test_a_statement_that_inserts_no_row_wakes_nobody(triggered: Engine) -> None:
    with listening(triggered) as ears:
        execute(
            triggered,
            "INSERT INTO soniq_jobs (id, task) SELECT gen_random_uuid(), 'task' WHERE false",
        )
        assert ears.heard() == []


def test_what_was_rolled_back_wakes_nobody(triggered: Engine) -> None:
    with listening(triggered) as ears, triggered.connect() as connection:
        connection.execute(text(insert("rolled-back")))
        connection.rollback()
        with connection.begin():
            with connection.begin_nested() as savepoint:
                connection.execute(text(insert("rolled-back-too")))
                savepoint.rollback()
            connection.execute(text(insert("kept")))
            assert ears.heard() == []
        assert ears.heard() == ["kept"]


def test_a_transaction_that_inserts_jobs_cannot_be_prepared(triggered: Engine) -> None:
    with psycopg.connect(url_of(triggered)) as connection:
        connection.execute(insert().encode())
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="NOTIFY"):
            connection.execute("PREPARE TRANSACTION 'never'")


def test_queues_that_do_not_fit_are_not_named(triggered: Engine) -> None:
    statement = (
        "INSERT INTO soniq_jobs (id, task, queue) SELECT gen_random_uuid(), 'task', "
        "repeat('{letter}', 60) || (1000 + n) FROM generate_series(1, {count}) n"
    )
    with listening(triggered) as ears:
        execute(triggered, statement.format(letter="q", count=121))
        execute(triggered, statement.format(letter="q", count=122))
        execute(triggered, statement.format(letter="ü", count=65))
        fits, too_many, too_many_bytes = ears.heard()
    assert len(fits.split(",")) == 121
    assert (too_many, too_many_bytes) == ("", "")


def test_without_the_option_there_is_no_trigger(engine: Engine) -> None:
    plain = MetaData()
    include_tables(plain)
    for metadata in (included(notify="after_commit"), plain):
        metadata.create_all(engine)
        assert Migration(engine, metadata, PLUGIN).differences == []
    assert catalog(engine) == set()
    with listening(engine) as ears:
        execute(engine, insert())
        assert ears.heard() == []


def test_dropping_the_tables_leaves_no_function(triggered: Engine) -> None:
    assert catalog(triggered) == OURS
    included().drop_all(triggered)
    assert catalog(triggered) == set()
    included().create_all(triggered)
    included().create_all(triggered)
    assert catalog(triggered) == OURS


NAMES: dict[str, dict[str, Any]] = {
    "a schema": {"schema": "work"},
    "a prefix": {"prefix": "bg_"},
    "a schema and a prefix": {"schema": "work", "prefix": "bg_"},
    "no prefix": {"prefix": ""},
    "upper case": {"prefix": "Bg_"},
    "a dash": {"schema": "work-1"},
    "a dot": {"schema": "work.one"},
    "upper case everywhere": {"schema": "Work", "prefix": "Bg_"},
    "quotes": {"schema": "o'work", "prefix": "a\"b'c_"},
    "a space": {"prefix": "my own "},
    "a percent sign": {"schema": "100%", "prefix": "50%s_"},
    "a colon": {"schema": "a :b", "prefix": "x :y"},
    "a backslash": {"prefix": "a\\b_"},
    "a reserved word": {"schema": "user", "prefix": "select "},
    "a long name": {"schema": "s" * 50, "prefix": "p" * 40},
}


@pytest.fixture
def names_engine(server: Any) -> Iterator[Engine]:
    """Return an engine on an empty database: the folder's own keeps its two schemas."""
    name = f"names_{secrets.token_hex(6)}"
    url = server.create_database(name)
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    yield engine
    engine.dispose()
    server.drop_database(name)


@pytest.mark.parametrize("case", NAMES)
def test_names_of_every_kind(names_engine: Engine, case: str) -> None:
    options = NAMES[case]
    engine, metadata = names_engine, included(**options)
    if "schema" in options:
        quoted = options["schema"].replace('"', '""')
        execute(engine, f'CREATE SCHEMA "{quoted}"')
    metadata.create_all(engine)
    schema, prefix = options.get("schema", "public"), options.get("prefix", "soniq_")
    assert catalog(engine) == {
        (schema, f"{prefix}jobs_wake"),
        ("trigger", f"{prefix}jobs_wake"),
    }
    assert Migration(engine, metadata, PLUGIN).differences == []
    assert heard_by_a_worker(engine, metadata) == ["default"]
    metadata.drop_all(engine)
    assert catalog(engine) == set()
    made = migrate(engine, metadata)
    assert heard_by_a_worker(engine, metadata) == ["default"]
    made.downgrade()
    assert catalog(engine) == set()


def heard_by_a_worker(engine: Engine, metadata: MetaData) -> list[str]:
    """Return what a plain INSERT says on the channel on which workers listen."""
    jobs = Soniq(metadata).models.jobs
    name = str(jobs.name).replace('"', '""')
    schema = "" if jobs.schema is None else '"' + jobs.schema.replace('"', '""') + '".'
    with psycopg.connect(url_of(engine), autocommit=True) as connection:
        channel = channel_of(jobs).replace('"', '""')
        connection.execute(f'LISTEN "{channel}"'.encode())
        connection.execute(f'LISTEN "{END}"'.encode())
        execute(engine, insert(table=f'{schema}"{name}"'))
        return Ears(connection).heard()


def test_tables_of_a_translated_schema(engine: Engine) -> None:
    metadata = included()
    translated = engine.execution_options(schema_translate_map={None: "work"})
    metadata.create_all(translated)
    assert catalog(engine) == {("work", "soniq_jobs_wake"), ("trigger", "soniq_jobs_wake")}
    with listening(engine, channel_of(Soniq(metadata).models.jobs)) as ears:
        execute(engine, insert(table="work.soniq_jobs"))
        assert ears.heard() == ["default"]
    metadata.drop_all(translated)
    assert catalog(engine) == set()


def test_two_job_tables_in_one_database_wake_their_own_workers(engine: Engine) -> None:
    for options in ({}, {"prefix": "bg_"}, {"schema": "work"}):
        included(**options).create_all(engine)
    with (
        listening(engine) as first,
        listening(engine, "soniq_sa:bg_jobs") as second,
        listening(engine, "soniq_sa:work.soniq_jobs") as third,
    ):
        execute(
            engine, insert("a"), insert("b", table="bg_jobs"), insert("c", table="work.soniq_jobs")
        )
        assert (first.heard(), second.heard(), third.heard()) == (["a"], ["b"], ["c"])
    included(prefix="bg_").drop_all(engine)
    assert ("public", "bg_jobs_wake") not in catalog(engine)
    assert catalog(engine) >= OURS


def test_a_job_class_of_the_user_has_the_trigger(engine: Engine) -> None:
    class Base(DeclarativeBase):
        pass

    class Job(JobMixin, Base):
        __tablename__ = "background"
        tenant: Mapped[str | None]

    include_tables(Base.metadata, notify="trigger")
    Base.metadata.create_all(engine)
    assert ("public", "background_wake") in catalog(engine)
    with listening(engine, channel_of(Job.__table__)) as ears:  # type: ignore[arg-type]
        execute(engine, insert("a", table="background"))
        assert ears.heard() == ["a"]


@pytest.mark.parametrize("schema", [None, "work"])
def test_the_trigger_comes_and_goes_with_one_migration_each(
    engine: Engine, schema: str | None
) -> None:
    without, with_trigger = included(notify="after_commit", schema=schema), included(schema=schema)
    without.create_all(engine)
    coming = migrate(engine, with_trigger)
    assert coming.differences == [
        "missing function soniq_jobs_wake",
        "missing trigger soniq_jobs_wake",
    ]
    there = catalog(engine)
    assert len(there) == 2
    going = migrate(engine, without)
    assert going.differences == ["extra trigger soniq_jobs_wake", "extra function soniq_jobs_wake"]
    assert catalog(engine) == set()
    going.downgrade()
    assert catalog(engine) == there
    assert Migration(engine, with_trigger, PLUGIN).differences == []
    assert heard_by_a_worker(engine, with_trigger) == ["default"]
    coming.downgrade()
    assert catalog(engine) == set()
    assert Migration(engine, without, PLUGIN).differences == []


def test_a_migration_makes_the_tables_with_their_trigger_and_takes_them_back(
    engine: Engine,
) -> None:
    made = migrate(engine, included())
    assert catalog(engine) == OURS
    assert heard_by_a_worker(engine, included()) == ["default"]
    dropped = migrate(engine, MetaData())
    assert catalog(engine) == set()
    dropped.downgrade()
    assert catalog(engine) == OURS
    assert heard_by_a_worker(engine, included()) == ["default"]
    made.downgrade()
    assert catalog(engine) == set()


CHANGES = {
    "the trigger is gone": (
        "DROP TRIGGER soniq_jobs_wake ON soniq_jobs",
        ["missing trigger soniq_jobs_wake"],
    ),
    "the function is another": (
        (
            "CREATE OR REPLACE FUNCTION soniq_jobs_wake() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN -- soniq_sa wakes the workers\n RETURN NULL; END $$"
        ),
        ["different function soniq_jobs_wake"],
    ),
    "both are gone": (
        "DROP FUNCTION soniq_jobs_wake CASCADE",
        ["missing function soniq_jobs_wake", "missing trigger soniq_jobs_wake"],
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_was_changed_by_hand_is_mended_by_a_migration(triggered: Engine, case: str) -> None:
    change, differences = CHANGES[case]
    with triggered.begin() as connection:
        connection.exec_driver_sql(change)
    by_hand = bodies(triggered)
    migration = migrate(triggered, included())
    assert migration.differences == differences
    assert catalog(triggered) == OURS
    assert heard_by_a_worker(triggered, included()) == ["default"]
    migration.downgrade()
    assert bodies(triggered) == by_hand
    assert Migration(triggered, included(), PLUGIN).differences == differences


def bodies(engine: Engine) -> list[str]:
    """Return the functions, each as its words."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT prosrc FROM pg_proc WHERE proname LIKE '%\\_wake' ORDER BY 1")
        )
        return [" ".join(row.prosrc.split()) for row in rows]


def test_functions_and_triggers_of_the_user_are_left_alone(triggered: Engine) -> None:
    with triggered.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION own_wake() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RETURN NULL; END $$;"
            "CREATE TRIGGER own_wake AFTER INSERT ON soniq_jobs EXECUTE FUNCTION own_wake()"
        )
    own = {("public", "own_wake"), ("trigger", "own_wake")}
    assert Migration(triggered, included(), PLUGIN).differences == []
    migrate(triggered, included(notify="after_commit"))
    assert catalog(triggered) == own
