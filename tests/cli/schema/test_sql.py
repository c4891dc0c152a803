"""``soniq-sa schema sql``: DDL for whoever runs the database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.schema.shop import OK, USAGE, Shop


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> Iterator[Shop]:
    """Return a shop without job tables."""
    found = Shop(tmp_path, database_url)
    yield found
    found.engine.dispose()


def objects(shop: Shop) -> int:
    """Count the tables and functions that a user has made, beside the shop's own."""
    return int(
        shop.value(
            "SELECT (SELECT count(*) FROM pg_tables WHERE schemaname NOT LIKE 'pg\\_%' "
            "AND schemaname <> 'information_schema' AND tablename <> 'tenants') + "
            "(SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace "
            "WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema')"
        )
    )


def test_the_statements_make_what_the_app_expects_and_take_it_back(shop: Shop) -> None:
    shop.write(', schema="work", prefix="q_", notify="trigger", durability="volatile"')
    done = shop.schema("sql")
    assert (done.returncode, done.stderr) == (OK, "")
    shop.run_sql(done.stdout)
    assert shop.differences() == set()
    shop.run_sql(shop.schema("sql", "--drop").stdout)
    assert objects(shop) == 0


def test_without_an_app_the_options_describe_the_tables(shop: Shop) -> None:
    options = ["--schema", "Odd name", "--prefix", "q_", "--notify", "trigger"]
    done = shop.schema("sql", *options, SONIQ_SA_APP="")
    assert (done.returncode, done.stderr) == (OK, "")
    assert "tenant_id" not in done.stdout
    shop.run_sql(done.stdout)
    assert shop.value('SELECT count(*) FROM "Odd name".q_jobs') == 0
    assert shop.value("SELECT count(*) FROM pg_trigger WHERE tgname = 'q_jobs_wake'") == 1
    shop.run_sql(shop.schema("sql", "--drop", *options).stdout)
    assert objects(shop) == 0


def test_durability_is_an_option_too(shop: Shop) -> None:
    shop.run_sql(shop.schema("sql", "--durability", "volatile").stdout)
    assert shop.value("SELECT relpersistence FROM pg_class WHERE relname = 'soniq_jobs'") == "u"


def test_json_lists_the_statements(shop: Shop) -> None:
    statements = shop.document("sql")["statements"]
    assert statements[0].startswith("CREATE TABLE soniq_jobs (")
    assert not any(statement.endswith(";") for statement in statements)
    assert "tenant_id" in statements[0]


def test_an_upgrade_of_tables_that_are_right_is_empty(shop: Shop) -> None:
    shop.schema("create")
    done = shop.schema("sql", "--upgrade")
    assert (done.returncode, done.stdout.strip()) == (OK, "")


def test_an_upgrade_from_nothing_makes_everything(shop: Shop) -> None:
    shop.run_sql(shop.schema("sql", "--upgrade").stdout)
    assert shop.differences() == set()


def test_an_upgrade_leaves_no_transaction_open_around_concurrent_builds(shop: Shop) -> None:
    shop.schema("create")
    shop.execute("DROP INDEX ix_soniq_jobs_due_1")
    lines = [line for line in shop.schema("sql", "--upgrade").stdout.splitlines() if line]
    build = next(i for i, line in enumerate(lines) if line.startswith("CREATE INDEX CONCURRENTLY"))
    assert lines[:build].count("COMMIT;") == lines[:build].count("BEGIN;")
    assert lines.count("COMMIT;") == lines.count("BEGIN;")


def test_options_and_upgrade_exclude_each_other(shop: Shop) -> None:
    done = shop.schema("sql", "--upgrade", "--prefix", "q_")
    assert done.returncode == USAGE
    assert "leave out --prefix" in done.stderr


def test_a_wrong_choice_is_refused(shop: Shop) -> None:
    done = shop.schema("sql", "--notify", "never")
    assert done.returncode == USAGE
    assert "after_commit" in done.stderr
    assert "trigger" in done.stderr
