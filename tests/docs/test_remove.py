"""A reader who removes the library keeps their own rows, and a history that still runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from docs.src.write import ROOT, blocks
from tests.docs.alembic_shop import CLEAN, CONFIGURE, Shop, shop_in

TEXTS = {block.source.name: block.text for block in blocks(ROOT / "docs" / "remove.md")}
OURS = {"soniq_attempts", "soniq_jobs", "soniq_progress", "soniq_workers"}
PLUGIN = 'autogenerate_plugins=["alembic.autogenerate.*", "soniq_sa"],'
BY_HAND = {"uninstall.console"}
ROW = "INSERT INTO soniq_jobs (id, task, state) VALUES (gen_random_uuid(), 'greet', '{}')"
NOT_INSTALLED = """\
import importlib.metadata
import sys

sys.modules["soniq_sa"] = None
found = importlib.metadata.entry_points
importlib.metadata.entry_points = lambda **options: importlib.metadata.EntryPoints(
    one for one in found(**options) if not one.value.startswith("soniq_sa")
)
"""


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> Iterator[Shop]:
    """Return the project without our tables; its modules come first on the import path."""
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    with shop_in(tmp_path, database_url, PYTHONPATH=path) as made:
        yield made


@pytest.fixture
def migrated(shop: Shop) -> Shop:
    """Return the project with our tables in models, history and database, and the trigger."""
    shop.include_tables()
    shop.replace("models.py", "(Base.metadata)", '(Base.metadata, notify="trigger")')
    shop.replace("migrations/env.py", CONFIGURE, f"{CONFIGURE}{PLUGIN}")
    shop.run("$ alembic revision --autogenerate -m jobs\n…\n$ alembic upgrade head\n…\n")
    return shop


def uninstall(shop: Shop) -> None:
    """Do as if the package were not there, for Python and for its metadata."""
    shop.write("sitecustomize.py", NOT_INSTALLED)


def functions(shop: Shop) -> int:
    """Return the number of functions in the schema ``public``."""
    return shop.count("pg_proc WHERE pronamespace = 'public'::regnamespace")


def test_a_migration_removes_everything_and_brings_it_back(migrated: Shop) -> None:
    users = migrated.tables() - OURS
    assert functions(migrated) == 1
    migrated.write("models.py", migrated.models)
    migrated.run(TEXTS["migrate.console"])
    assert (migrated.tables(), functions(migrated)) == (users, 0)
    assert migrated.count("orders") == 2
    migrated.run("$ alembic downgrade -1\n…\n")
    assert (migrated.tables(), functions(migrated)) == (users | OURS, 1)
    migrated.run("$ alembic upgrade head\n…\n")
    migrated.run(f"$ alembic downgrade base\n…\n$ alembic upgrade head\n…\n{CLEAN}")


def test_the_blocks_on_the_way_back_are_the_commands_of_the_page(migrated: Shop) -> None:
    migrated.write("models.py", migrated.models)
    migrated.run(TEXTS["migrate.console"])
    migrated.run(TEXTS["back.console"])
    assert not migrated.tables() & OURS


def test_the_history_runs_without_the_package(migrated: Shop) -> None:
    migrated.write("models.py", migrated.models)
    migrated.run(TEXTS["migrate.console"])
    migrated.replace("migrations/env.py", f"{CONFIGURE}{PLUGIN}", CONFIGURE)
    uninstall(migrated)
    migrated.run(f"{CLEAN}$ alembic downgrade base\n…\n$ alembic upgrade head\n…\n")
    assert not migrated.tables() & OURS


def test_the_package_that_goes_first_is_missed(migrated: Shop) -> None:
    migrated.write("models.py", migrated.models)
    migrated.run(TEXTS["migrate.console"])
    uninstall(migrated)
    migrated.terminal.run(TEXTS["too_early.console"])


@pytest.mark.parametrize(
    ("state", "count"),
    [
        ("scheduled", 1),
        ("queued", 1),
        ("processing", 1),
        ("done", 0),
        ("cancelled", 0),
        ("dead", 0),
    ],
)
def test_the_query_counts_what_would_be_lost(migrated: Shop, state: str, count: int) -> None:
    migrated.execute(ROW.format(state))
    with migrated.engine.connect() as connection:
        assert connection.execute(text(TEXTS["unfinished.sql"])).scalar_one() == count


def test_a_command_drops_the_tables_where_no_revision_made_them(shop: Shop) -> None:
    users = shop.tables()
    shop.include_tables()
    shop.run("$ soniq-sa schema create\n…\n")
    assert shop.tables() == users | OURS
    shop.run(TEXTS["drop.console"])
    assert shop.tables() == users


def test_every_block_of_the_page_is_tried_here() -> None:
    assert TEXTS.keys() - BY_HAND == {
        "unfinished.sql",
        "migrate.console",
        "back.console",
        "too_early.console",
        "drop.console",
    }
