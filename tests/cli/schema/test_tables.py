"""``soniq-sa schema create`` and ``drop``."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.schema.shop import FAILED, OK, Shop

REVISION = "revision = 'abc'\ndown_revision = None\n\ndef upgrade():\n    pass  # {made}\n"


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> Iterator[Shop]:
    """Return a shop without job tables."""
    found = Shop(tmp_path, database_url)
    yield found
    found.engine.dispose()


def put_under_alembic(shop: Shop, made: str | None) -> None:
    """Note a version in the database; with ``made``, also write a revision that mentions it."""
    shop.execute(
        "CREATE TABLE alembic_version (version_num text)",
        "INSERT INTO alembic_version VALUES ('abc')",
    )
    if made is not None:
        versions = shop.folder / "migrations" / "versions"
        versions.mkdir(parents=True)
        (versions / "abc.py").write_text(REVISION.format(made=made))
        (shop.folder / "alembic.ini").write_text("[alembic]\nscript_location = migrations\n")


def jobs_are_there(shop: Shop) -> bool:
    return shop.value("SELECT to_regclass('soniq_jobs')") is not None


def test_create_makes_what_is_missing_and_says_so(shop: Shop) -> None:
    done = shop.schema("create")
    assert (done.returncode, done.stderr) == (OK, "")
    assert done.stdout == "Created soniq_jobs, soniq_attempts, soniq_progress, soniq_workers.\n"
    shop.execute("DROP TABLE soniq_attempts")
    assert shop.document("create") == {
        "created": ["soniq_attempts"],
        "existing": ["soniq_jobs", "soniq_progress", "soniq_workers"],
        "differences": 0,
    }


def test_create_makes_the_schema(shop: Shop) -> None:
    shop.write(', schema="work"')
    assert "Created soniq_jobs, work.soniq_attempts" in shop.schema("create").stdout
    assert shop.schema("check").returncode == OK


def test_create_points_to_what_it_does_not_change(shop: Shop) -> None:
    shop.schema("create")
    shop.execute("ALTER TABLE soniq_jobs DROP COLUMN error")
    done = shop.schema("create")
    assert done.returncode == OK
    assert "1 difference is left. soniq-sa schema check" in done.stdout


@pytest.mark.parametrize("command", [["create"], ["drop", "--yes"]])
@pytest.mark.parametrize("made", ["soniq_jobs", None])
def test_a_database_under_alembic_is_left_to_it(
    shop: Shop, command: list[str], made: str | None
) -> None:
    if command[0] == "drop":
        shop.schema("create")
    put_under_alembic(shop, made)
    before = jobs_are_there(shop)
    done = shop.schema(*command)
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert "public.alembic_version is at abc" in done.stderr
    assert "alembic revision --autogenerate" in done.stderr
    assert "--outside-alembic" in done.stderr
    assert jobs_are_there(shop) is before
    assert shop.schema(*command, "--outside-alembic").returncode == OK
    assert jobs_are_there(shop) is not before


def test_a_history_that_does_not_know_the_jobs_is_no_hindrance(shop: Shop) -> None:
    put_under_alembic(shop, "tenants")
    assert shop.schema("create").returncode == OK
    assert jobs_are_there(shop)


def test_without_a_terminal_nothing_is_dropped(shop: Shop) -> None:
    shop.schema("create")
    done = shop.schema("drop")
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert "Add --yes" in done.stderr
    assert jobs_are_there(shop)


def test_drop_takes_everything_away(shop: Shop) -> None:
    shop.write(', notify="trigger"')
    shop.schema("create")
    assert shop.document("drop", "--yes") == {
        "dropped": ["soniq_jobs", "soniq_attempts", "soniq_progress", "soniq_workers"]
    }
    assert shop.value("SELECT count(*) FROM pg_proc WHERE proname = 'soniq_jobs_wake'") == 0
    assert shop.schema("drop").stdout == "There is nothing to drop.\n"


def test_what_depends_on_the_tables_is_named(shop: Shop) -> None:
    shop.schema("create")
    shop.execute("CREATE TABLE reports (job_id uuid REFERENCES soniq_jobs)")
    done = shop.schema("drop", "--yes")
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert "reports" in done.stderr
    assert "Traceback" not in done.stderr
    assert jobs_are_there(shop)


@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_it_asks(shop: Shop, answer: str) -> None:
    shop.schema("create")
    shop.execute("INSERT INTO soniq_jobs (id, task) VALUES (gen_random_uuid(), 't')")
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "soniq_sa", "schema", "drop", "--app", "shop:soniq"],
        cwd=shop.folder,
        env={**os.environ, "SONIQ_SA_DATABASE_URL": shop.url},
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert "1 unfinished jobs, 0 running workers" in done.stderr
    assert done.returncode == (OK if answer == "y" else FAILED)
    assert jobs_are_there(shop) is (answer == "n")
