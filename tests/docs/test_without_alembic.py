"""The page for projects without Alembic, command by command."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, make_url, text

from docs.src.write import ROOT, blocks
from soniq_sa.cli.exits import FAILED, SCHEMA, UNREACHABLE, USAGE
from soniq_sa.cli.schema.group import commands as group
from soniq_sa.engines import make_sync_engine
from tests.docs.alembic_shop import shop_in
from tests.docs.terminal import Terminal

PAGE = ROOT / "docs" / "without_alembic.md"
SOURCES = ROOT / "docs" / "src" / "without_alembic"
TEXTS = {block.source.name: block.text for block in blocks(PAGE)}
OURS = ["soniq_attempts", "soniq_jobs", "soniq_progress", "soniq_workers"]
PSQL = pytest.mark.skipif(shutil.which("psql") is None, reason="the page calls psql")
PLUGIN = 'autogenerate_plugins=["alembic.autogenerate.*", "soniq_sa"],'


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Return an engine on an empty database."""
    made = make_sync_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
def terminal(tmp_path: Path, engine: Engine) -> Iterator[Terminal]:
    """Return a terminal in a project without Alembic."""
    for name in ("models.py", "database.py", "jobs.py", "create_ours.py", "create_every.py"):
        shutil.copy(SOURCES / name, tmp_path)
    url = engine.url.render_as_string(hide_password=False)
    with Terminal(tmp_path, {"DATABASE_URL": url, **of_psql(engine)}) as opened:
        yield opened


def of_psql(engine: Engine) -> dict[str, str]:
    """Return the variables by which psql finds the database."""
    url = make_url(engine.url)
    found = {
        "PGHOST": url.host or url.query.get("host"),
        "PGPORT": url.port or url.query.get("port"),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
    }
    return {name: str(value) for name, value in found.items() if value}


def tables(engine: Engine, schema: str | None = None) -> list[str]:
    """Return the names of the tables, sorted."""
    return sorted(inspect(engine).get_table_names(schema))


def test_create_makes_the_tables_and_check_agrees(terminal: Terminal, engine: Engine) -> None:
    terminal.run(TEXTS["create.console"])
    assert tables(engine) == OURS


def test_python_makes_our_tables_alone(terminal: Terminal, engine: Engine) -> None:
    terminal.run("$ python create_ours.py\n$ echo $?\n0\n")
    assert tables(engine) == OURS


def test_python_makes_every_table(terminal: Terminal, engine: Engine) -> None:
    terminal.run("$ python create_every.py\n$ echo $?\n0\n")
    assert tables(engine) == ["orders", *OURS]


@PSQL
def test_the_statements_for_a_dba_make_the_tables(terminal: Terminal, engine: Engine) -> None:
    terminal.run(TEXTS["dba.console"])
    terminal.run("$ echo $?\n0\n")
    assert tables(engine) == OURS
    terminal.run("$ soniq-sa schema check\nsoniq_attempts, …: as the application expects.\n")
    terminal.run("$ soniq-sa schema sql --drop | psql -q -v ON_ERROR_STOP=1\n")
    assert tables(engine) == []


@PSQL
def test_the_statements_need_no_application(terminal: Terminal, engine: Engine) -> None:
    terminal.run(TEXTS["any.console"])
    (line,) = re.findall(r"\$ (.*)", TEXTS["any.console"])
    terminal.run(f"$ {line} | psql -q -v ON_ERROR_STOP=1\n")
    assert tables(engine, "jobs") == [
        "shop_attempts",
        "shop_jobs",
        "shop_progress",
        "shop_workers",
    ]


@PSQL
def test_the_upgrade_mends_what_the_check_finds(terminal: Terminal, engine: Engine) -> None:
    terminal.run(TEXTS["create.console"])
    with engine.begin() as connection:
        connection.execute(text((SOURCES / "difference.sql").read_text("utf-8")))
    terminal.run(TEXTS["json.console"] + "…\n")
    terminal.run(TEXTS["upgrade.console"])


def test_create_and_drop_refuse_where_revisions_make_the_tables(
    tmp_path: Path, database_url: str
) -> None:
    with shop_in(tmp_path, database_url) as shop:
        shop.include_tables()
        shop.replace("migrations/env.py", "context.configure(\n", f"context.configure(\n{PLUGIN}")
        shop.run("$ alembic revision --autogenerate -m jobs\n…\n$ alembic upgrade head\n…\n")
        shop.terminal.run(TEXTS["refused.console"])
        shop.terminal.run("$ soniq-sa schema drop --yes\nerror: …under Alembic…\n")
        assert shop.tables() > set(OURS)
        shop.run("$ soniq-sa schema drop --yes --outside-alembic\nDropped soniq_jobs, …\n")


def test_they_refuse_where_the_revisions_cannot_be_found(tmp_path: Path, database_url: str) -> None:
    with shop_in(tmp_path, database_url) as shop:
        shop.include_tables()
        elsewhere = "$ mv alembic.ini elsewhere.ini\n"
        shop.run(elsewhere)
        shop.terminal.run("$ soniq-sa schema create\nerror: …no revisions were found…\n")
        shop.run("$ soniq-sa schema create --outside-alembic\nCreated soniq_jobs, …\n")


def test_the_exit_codes_are_those_of_the_page(terminal: Terminal) -> None:
    assert (FAILED, USAGE, SCHEMA, UNREACHABLE) == (1, 2, 4, 5)
    for line, code in (
        ("soniq-sa schema check", SCHEMA),
        ("soniq-sa schema create", 0),
        ("soniq-sa schema check", 0),
        ("soniq-sa schema drop", FAILED),
        ("soniq-sa schema check --app jobs:sonic", USAGE),
        ("DATABASE_URL=postgresql+psycopg://127.0.0.1:1/shop soniq-sa schema check", UNREACHABLE),
    ):
        terminal.run(f"$ {line}\n…\n$ echo $?\n{code}\n")


def test_the_page_names_every_command_but_those_for_alembic() -> None:
    names = {
        str(command.callback.__name__) for command in group.registered_commands if command.callback
    }
    for name in names - {"init", "templates"}:
        assert f"| `soniq-sa schema {name}` |" in PAGE.read_text("utf-8")
