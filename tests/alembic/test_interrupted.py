"""A migration that waits, or stops somewhere: whom it keeps out, and how it goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from soniq_sa.localserver.databases import libpq_url
from tests.alembic.project import ALEMBIC, JOB, LOCK_TIMEOUT, Migration, Project
from tests.process.yard import until

ENQUEUE = "INSERT INTO soniq_jobs (id, task) VALUES (gen_random_uuid(), 'any')"
REPEATABLE = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
REPORT = "SELECT 'a long report that reads other tables'"
OTHER = "other"
END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'other'
"""
WAITING = """
    SELECT query FROM pg_stat_activity WHERE datname = current_database()
    AND wait_event_type = 'Lock' AND query NOT LIKE 'INSERT%'
"""
FAIL_AT = """
    CREATE SEQUENCE IF NOT EXISTS steps;
    CREATE OR REPLACE FUNCTION fail_at() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NOT EXISTS (SELECT FROM pg_index WHERE indrelid = 'soniq_jobs'::regclass AND indisvalid
                     AND indexrelid::regclass::text ~ '_claim_') THEN
        RAISE EXCEPTION 'no index for claims';
      ELSIF NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'soniq_jobs'::regclass
                        AND contype = 'c') THEN
        RAISE EXCEPTION 'no check';
      ELSIF nextval('steps') = {number} THEN
        RAISE EXCEPTION 'stopped by the test';
      END IF;
    END $$;
    ALTER SEQUENCE steps RESTART;
    CREATE EVENT TRIGGER fail_at ON ddl_command_start EXECUTE FUNCTION fail_at();
"""
GO_ON = "DROP EVENT TRIGGER fail_at"
CLEAN_UP = "DROP FUNCTION fail_at(); DROP SEQUENCE steps"


@pytest.fixture
def second(project: Project) -> Migration:
    """Return a migration to the next version that was not run yet."""
    project.write_models(f"{JOB}\ninclude_tables(Base.metadata, notify='trigger')")
    project.autogenerate("first")
    project.alembic("upgrade", "head")
    project.install_next_version()
    return project.autogenerate("second")


@pytest.mark.usefixtures("second")
def test_a_migration_may_stop_at_each_of_its_statements(project: Project) -> None:
    """Each run stops one statement later than the one before, and the last one not at all.

    At each statement the workers have an index for their claims, and there is a check.
    """
    this = project.objects()
    assert stops(project, "upgrade", "head") >= 7
    project.check()
    following = project.objects()
    assert stops(project, "downgrade", "-1") >= 7
    assert project.objects() == this
    project.alembic("upgrade", "head")
    assert project.objects() == following


def stops(project: Project, *command: str) -> int:
    """Run a command until it succeeds; return how often it did not."""
    for number in range(1, 30):
        project.execute(FAIL_AT.format(number=number))
        done = project.run(*command)
        project.execute(GO_ON)
        if done.returncode == 0:
            project.execute(CLEAN_UP)
            return number - 1
        assert "stopped by the test" in done.stderr, done.stderr
    raise AssertionError(done.stderr)


def test_a_migration_that_waits_without_a_limit_makes_all_others_wait(
    project: Project, second: Migration
) -> None:
    assert "lock_timeout" not in second.text
    with open_transaction(project, ENQUEUE), upgrade(project) as process:
        with pytest.raises(psycopg.errors.LockNotAvailable):
            enqueue(project, "1s")
        project.execute(END_OTHERS)
        assert process.wait(30) == 0
    project.check()


def test_a_migration_with_a_limit_gives_up_before_it_has_done_anything(
    project: Project, second: Migration
) -> None:
    second.begin_with(LOCK_TIMEOUT)
    before = project.objects()
    with open_transaction(project, ENQUEUE), upgrade(project) as process:
        enqueue(project, "1s")
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 1
        assert "lock timeout" in errors
    assert project.objects() == before
    project.alembic("upgrade", "head")
    project.check()


@pytest.mark.usefixtures("second")
def test_the_build_of_an_index_waits_for_old_transactions_and_keeps_nobody_out(
    project: Project,
) -> None:
    with open_transaction(project, REPEATABLE, REPORT), upgrade(project) as process:
        assert "CREATE INDEX CONCURRENTLY" in str(project.execute(WAITING))
        enqueue(project, "10ms")
        project.execute(END_OTHERS)
        assert process.wait(30) == 0
    project.check()


def test_an_index_whose_build_has_given_up_is_built_by_the_next_run(
    project: Project, second: Migration
) -> None:
    second.begin_with(LOCK_TIMEOUT)
    with open_transaction(project, REPEATABLE, REPORT):
        assert "lock timeout" in project.failing_alembic("upgrade", "head")
    invalid = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
    assert project.execute(invalid) == [("ix_soniq_jobs_claim_2",)]
    project.alembic("upgrade", "head")
    project.check()


def test_what_stands_above_the_block_stays_when_the_migration_stops(
    project: Project, second: Migration
) -> None:
    """So it is no place for other changes: these would not be taken back."""
    second.begin_with("op.execute('CREATE TABLE other (id int)')")
    project.execute(FAIL_AT.format(number=5))
    assert "stopped by the test" in project.failing_alembic("upgrade", "head")
    project.execute(GO_ON)
    assert "already exists" in project.failing_alembic("upgrade", "head")


def test_a_downgrade_stops_at_rows_in_states_that_it_does_not_know(
    project: Project, second: Migration
) -> None:
    project.alembic("upgrade", "head")
    project.execute(ENQUEUE)
    project.execute("UPDATE soniq_jobs SET state = 'parked'")
    assert "is violated by some row" in project.failing_alembic("downgrade", "-1")
    project.execute("UPDATE soniq_jobs SET state = 'cancelled'")
    project.alembic("downgrade", "-1")
    assert second.revision not in project.alembic("current")


def test_all_migrations_in_one_transaction_are_committed_at_the_first_block(
    project: Project, second: Migration
) -> None:
    """Where ``env.py`` does without ``transaction_per_migration``, as Alembic's own does."""
    env = project.env.read_text()
    setting = "transaction_per_migration=True,"
    assert setting in env
    project.env.write_text(env.replace(setting, ""))
    project.alembic("downgrade", "base")
    project.alembic("upgrade", "head")
    assert second.revision in project.alembic("current")
    project.check()


def test_inside_a_transaction_of_the_callers_it_cannot_run(
    project: Project, second: Migration
) -> None:
    env = project.env.read_text()
    migrate = "migrate(connection=connection)"
    assert env.count(f"    {migrate}") == 1
    project.env.write_text(env.replace(migrate, f"connection.begin(); {migrate}"))
    assert "AssertionError" in project.failing_alembic("upgrade", "head")
    project.env.write_text(env)
    assert second.revision not in project.alembic("current")
    project.alembic("upgrade", "head")


@contextmanager
def open_transaction(project: Project, *statements: str) -> Iterator[None]:
    """Keep a transaction open that has executed these, until `END_OTHERS` or the end of the block."""
    connection = psycopg.connect(libpq_url(project.url), application_name=OTHER)
    try:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]
        yield
    finally:
        connection.close()


@contextmanager
def upgrade(project: Project) -> Iterator[subprocess.Popen[str]]:
    """Start an upgrade, and wait until it waits for a lock."""
    process = subprocess.Popen(
        [*ALEMBIC, "upgrade", "head"],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: project.execute(WAITING) != [], "the upgrade to wait")
        yield process
    finally:
        process.kill()
        process.communicate()


def enqueue(project: Project, limit: str) -> None:
    """Enqueue as somebody else, who does not wait longer than so."""
    with psycopg.connect(libpq_url(project.url)) as connection:
        connection.execute(f"SET lock_timeout = '{limit}'")  # type: ignore[call-overload]
        connection.execute(ENQUEUE)
