"""``soniq-sa schema check``: what is missing, extra and different, and its exit codes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.schema.shop import OK, SCHEMA, UNREACHABLE, USAGE, Shop

TRIGGER = ', notify="trigger"'

Found = tuple[str, str, str]

CHANGES: dict[str, Found] = {
    "ALTER TABLE soniq_jobs DROP COLUMN error": ("missing", "column", "soniq_jobs.error"),
    "ALTER TABLE soniq_jobs ADD colour text": ("extra", "column", "soniq_jobs.colour"),
    "ALTER TABLE soniq_jobs ALTER priority TYPE int": ("different", "column", "soniq_jobs.priority"),
    "ALTER TABLE soniq_jobs ALTER task DROP NOT NULL": ("different", "column", "soniq_jobs.task"),
    "ALTER TABLE soniq_jobs ALTER queue SET DEFAULT 'x'": ("different", "column", "soniq_jobs.queue"),
    "DROP INDEX ix_soniq_jobs_due_1": ("missing", "index", "ix_soniq_jobs_due_1"),
    "DROP INDEX ix_soniq_jobs_tenant_id": ("missing", "index", "ix_soniq_jobs_tenant_id"),
    "CREATE INDEX ix_mine ON soniq_jobs (task)": ("extra", "index", "ix_mine"),
    "ALTER TABLE soniq_jobs DROP CONSTRAINT ck_soniq_jobs_state_1": (
        "missing", "check", "ck_soniq_jobs_state_1"),
    "ALTER TABLE soniq_jobs DROP CONSTRAINT soniq_jobs_tenant_id_fkey": (
        "missing", "foreign key", "soniq_jobs.tenant_id"),
    "ALTER TABLE soniq_jobs SET (fillfactor = 55)": ("different", "storage", "soniq_jobs"),
    "ALTER TABLE soniq_workers RESET (fillfactor)": ("different", "storage", "soniq_workers"),
    "ALTER TABLE soniq_attempts SET UNLOGGED": ("different", "durability", "soniq_attempts"),
    "DROP TRIGGER soniq_jobs_wake ON soniq_jobs": ("missing", "trigger", "soniq_jobs_wake"),
    "CREATE OR REPLACE FUNCTION soniq_jobs_wake() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN /* soniq_sa wakes the workers */ RETURN NULL; END'": (
        "different", "function", "soniq_jobs_wake"),
}  # fmt: skip
LOSSES: dict[str, set[Found]] = {
    "ALTER TABLE soniq_jobs DROP COLUMN tenant_id": {
        ("missing", "column", "soniq_jobs.tenant_id"),
        ("missing", "index", "ix_soniq_jobs_tenant_id"),
        ("missing", "foreign key", "soniq_jobs.tenant_id"),
    },
    "DROP TABLE soniq_attempts": {("missing", "table", "soniq_attempts")},
    "ALTER TABLE soniq_jobs DROP COLUMN state": {
        ("missing", "column", "soniq_jobs.state"),
        ("missing", "check", "ck_soniq_jobs_state_1"),
        *(("missing", "index", f"ix_soniq_jobs_{name}_1")
          for name in ("claim", "suspect", "due", "owner", "dead")),
    },
    "DROP FUNCTION soniq_jobs_wake CASCADE": {
        ("missing", "function", "soniq_jobs_wake"),
        ("missing", "trigger", "soniq_jobs_wake"),
    },
}  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> Iterator[Shop]:
    """Return a shop whose job tables are as they should be."""
    found = Shop(tmp_path, database_url)
    found.write(TRIGGER)
    assert found.schema("create").returncode == OK
    yield found
    found.engine.dispose()


def test_tables_as_they_should_be_exit_with_0(shop: Shop) -> None:
    done = shop.schema("check")
    assert (done.returncode, done.stderr) == (OK, "")
    assert (
        done.stdout
        == "soniq_attempts, soniq_jobs, soniq_progress, soniq_workers: as the application expects.\n"
    )
    assert shop.document("check") == {"ok": True, "differences": []}


def test_every_change_is_found_and_mended_by_the_upgrade(shop: Shop) -> None:
    shop.execute(*CHANGES)
    assert shop.differences() == set(CHANGES.values())
    shop.run_sql(shop.schema("sql", "--upgrade").stdout)
    assert shop.differences() == set()


def test_what_is_lost_is_found_and_made_again_by_the_upgrade(shop: Shop) -> None:
    shop.execute(*LOSSES)
    assert shop.differences() == set().union(*LOSSES.values())
    shop.run_sql(shop.schema("sql", "--upgrade").stdout)
    assert shop.differences() == set()


def test_another_condition_under_the_same_name_is_found(shop: Shop) -> None:
    shop.execute(
        "DROP INDEX ix_soniq_jobs_claim_1",
        "CREATE INDEX ix_soniq_jobs_claim_1 ON soniq_jobs (queue, priority, run_at, id) "
        "WHERE state = 'dead'",
        "ALTER TABLE soniq_jobs DROP CONSTRAINT ck_soniq_jobs_state_1",
        "ALTER TABLE soniq_jobs ADD CONSTRAINT ck_soniq_jobs_state_1 CHECK (state <> 'x')",
    )
    assert shop.differences() == {
        ("different", "index", "ix_soniq_jobs_claim_1"),
        ("different", "check", "ck_soniq_jobs_state_1"),
    }


def test_differences_exit_with_4_and_name_the_commands(shop: Shop) -> None:
    shop.execute("ALTER TABLE soniq_jobs SET (fillfactor = 55)")
    done = shop.schema("check")
    assert (done.returncode, done.stderr) == (SCHEMA, "")
    assert (
        "different storage    soniq_jobs  fillfactor = 55 instead of fillfactor = 70" in done.stdout
    )
    for command in ("alembic upgrade head", "alembic revision", "soniq-sa schema sql --upgrade"):
        assert command in done.stdout


def test_a_trigger_that_is_no_longer_wanted_is_extra(shop: Shop) -> None:
    shop.write()
    assert shop.differences() == {
        ("extra", "trigger", "soniq_jobs_wake"),
        ("extra", "function", "soniq_jobs_wake"),
    }
    shop.run_sql(shop.schema("sql", "--upgrade").stdout)
    assert shop.differences() == set()


def test_tables_of_the_user_are_not_looked_at(shop: Shop) -> None:
    shop.execute("ALTER TABLE tenants ADD name text", "CREATE TABLE other (id int)")
    assert shop.schema("check").returncode == OK


def test_other_tables_of_the_same_kind_are_not_looked_at(shop: Shop) -> None:
    shop.run_sql(shop.schema("sql", "--prefix", "q_", "--notify", "trigger").stdout)
    shop.run_sql(shop.schema("sql", "--schema", "other", "--notify", "trigger").stdout)
    assert shop.schema("check").returncode == OK


def test_a_database_that_is_away_exits_with_5(shop: Shop) -> None:
    done = shop.schema("check", SONIQ_SA_DATABASE_URL="postgresql://u:secret@127.0.0.1:1/x")
    assert (done.returncode, done.stdout) == (UNREACHABLE, "")
    assert "127.0.0.1:1/x does not answer" in done.stderr
    assert "secret" not in done.stderr
    assert "SONIQ_SA_DATABASE_URL" in done.stderr


def test_a_wrong_app_exits_with_2(shop: Shop) -> None:
    done = shop.schema("check", "--app", "shop:sonic")
    assert done.returncode == USAGE
    assert "Did you mean 'soniq'?" in done.stderr
