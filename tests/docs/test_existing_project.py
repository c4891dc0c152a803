"""A reader with a project of years does what the page says, and gets what it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.src.write import ROOT, Block, blocks
from tests.cli.schema.terminal import on_terminal
from tests.docs.alembic_shop import CLEAN, CONFIGURE, Shop, shop_in
from tests.docs.terminal import commands, matches

PAGE = ROOT / "docs" / "existing_project.md"
BLOCKS = {(block.source.name, block.region): block for block in blocks(PAGE)}
SCREEN = 45


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> Iterator[Shop]:
    """Return the project, with rows and two revisions."""
    with shop_in(tmp_path, database_url) as made:
        yield made


def follow(shop: Shop, name: str, region: str | None = None) -> Block:
    """Run the commands of a block, or write it as a file of its name."""
    block = BLOCKS[name, region]
    if block.language == "console":
        shop.run(block.text)
    elif region is None:
        shop.write(name, block.text)
    return block


def add_the_plugin(shop: Shop) -> None:
    """Run the command that asks, and answer as the block does."""
    (command,) = commands(BLOCKS["init.console", None].text)
    _, *arguments = command.line.split()
    url = shop.terminal.environment["DATABASE_URL"]
    code, seen = on_terminal(shop.folder, "y\n", *arguments, DATABASE_URL=url, NO_COLOR="1")
    assert code == 0, seen
    seen = re.sub(r"\[y/N\]:[ y\n]*", "[y/N]: y\n", seen)  # the echo may overtake the last space
    assert matches(command.output, seen), f"{seen}\nexpected:\n{command.output}"


def test_each_block_up_to_the_check_does_what_the_page_says(shop: Shop) -> None:
    before = shop.tables()
    shop.include_tables()
    follow(shop, "jobs.py")
    add_the_plugin(shop)
    follow(shop, "migrate.console")
    follow(shop, "check.console")
    assert shop.tables() - before == {
        "soniq_attempts",
        "soniq_jobs",
        "soniq_progress",
        "soniq_workers",
    }
    assert shop.count("orders") == 2
    shop.run("$ alembic downgrade -1\n…\n$ alembic history\n…\n")
    assert shop.tables() == before
    assert shop.count("orders") == 2


def test_the_migration_needs_no_soniq_sa(shop: Shop) -> None:
    shop.include_tables()
    add_the_plugin(shop)
    follow(shop, "migrate.console")
    assert "soniq_sa" not in shop.migration("jobs")


def test_the_tables_and_indexes_need_no_plugin(shop: Shop) -> None:
    shop.include_tables()
    follow(shop, "migrate.console")
    follow(shop, "check.console")


def test_the_plugin_finds_what_alembic_does_not_compare(shop: Shop) -> None:
    shop.include_tables()
    follow(shop, "migrate.console")
    shop.execute("ALTER TABLE soniq_jobs SET (fillfactor = 20)")
    shop.run(CLEAN)
    add_the_plugin(shop)
    shop.terminal.run("$ alembic check\n…\n…fillfactor = 20 instead of fillfactor = 70…\n…\n")


def test_the_tables_go_into_a_schema_of_their_own_and_others_are_left_alone(shop: Shop) -> None:
    shop.execute("CREATE SCHEMA billing")
    shop.execute("CREATE TABLE billing.invoices (id integer)")
    shop.include_tables()
    shop.replace(
        "models.py", "include_tables(Base.metadata)\n", text_of("schema_models", "include")
    )
    add_the_plugin(shop)
    filters = text_of("schema_env", "filter")
    shop.replace(
        "migrations/env.py",
        "target_metadata = Base.metadata\n",
        f"target_metadata = Base.metadata\n\n{filters}",
    )
    shop.replace(
        "migrations/env.py",
        CONFIGURE,
        f"{CONFIGURE}include_schemas=True, include_name=include_name,",
    )
    shop.run("$ alembic revision --autogenerate -m jobs\n…\n")
    assert "billing" not in shop.migration("jobs")
    create = text_of("schema_revision", "create")
    (file,) = shop.folder.glob("migrations/versions/*_jobs.py")
    shop.replace(str(file), '"""Upgrade schema."""\n', f'"""Upgrade schema."""\n    {create}')
    shop.run(f"$ alembic upgrade head\n…\n{CLEAN}")
    shop.run(
        "$ soniq-sa schema check\njobs.soniq_attempts, jobs.soniq_jobs, jobs.soniq_progress, jobs.soniq_workers: as the application expects.\n"
    )


def test_without_the_filter_alembic_would_drop_the_tables_of_others(shop: Shop) -> None:
    shop.execute("CREATE SCHEMA billing")
    shop.execute("CREATE TABLE billing.invoices (id integer)")
    shop.replace("migrations/env.py", CONFIGURE, f"{CONFIGURE}include_schemas=True,")
    shop.terminal.run("$ alembic check\n…\n…Detected removed table 'billing.invoices'\n…\n")


def test_the_steps_fit_on_a_screen() -> None:
    steps = PAGE.read_text("utf-8").partition("\n## ")[0]
    rendered = [
        line for line in steps.splitlines() if line and not line.startswith(("```", "<!--"))
    ]
    assert len(rendered) <= SCREEN


def text_of(name: str, region: str) -> str:
    """Return the text of a block with Python."""
    return BLOCKS[f"{name}.py", region].text
