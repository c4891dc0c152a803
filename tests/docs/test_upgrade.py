"""The page about upgrades: its steps are done in a project, its locks are looked up in PostgreSQL."""

from __future__ import annotations

import ast
import re
import threading
from importlib.metadata import version
from pathlib import Path

import psycopg
import pytest

from docs.src.write import ROOT, blocks
from soniq_sa.localserver.databases import libpq_url
from tests.alembic.project import LOCK_TIMEOUT, Migration, Project
from tests.docs.terminal import Terminal
from tests.process.yard import until

PAGE = ROOT / "docs" / "upgrade.md"
TEXT = PAGE.read_text("utf-8")
MODES = [
    "none",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
]
"""From the weakest on; those behind the second keep writers out."""

TRIGGER = """
    CREATE TRIGGER t AFTER INSERT ON soniq_jobs FOR EACH STATEMENT EXECUTE FUNCTION soniq_jobs_wake()
"""
FUNCTION = """
    CREATE OR REPLACE FUNCTION soniq_jobs_wake() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN RETURN NULL; END'
"""
STATEMENTS = {
    "ADD COLUMN": ["ALTER TABLE soniq_jobs ADD COLUMN lane text"],
    "ADD CONSTRAINT … NOT VALID": [
        "ALTER TABLE soniq_jobs ADD CONSTRAINT c CHECK (true) NOT VALID"
    ],
    "VALIDATE CONSTRAINT": [
        "ALTER TABLE soniq_jobs ADD CONSTRAINT c CHECK (true) NOT VALID",
        "ALTER TABLE soniq_jobs VALIDATE CONSTRAINT c",
    ],
    "CREATE INDEX CONCURRENTLY": ["CREATE INDEX CONCURRENTLY i ON soniq_jobs (run_at)"],
    "DROP INDEX CONCURRENTLY": [
        "CREATE INDEX i ON soniq_jobs (run_at)",
        "DROP INDEX CONCURRENTLY i",
    ],
    "DROP INDEX": ["CREATE INDEX i ON soniq_jobs (run_at)", "DROP INDEX i"],
    "DROP CONSTRAINT": ["ALTER TABLE soniq_jobs DROP CONSTRAINT ck_soniq_jobs_state_1"],
    "DROP COLUMN": ["ALTER TABLE soniq_jobs DROP COLUMN reason"],
    "CREATE OR REPLACE FUNCTION": [FUNCTION],
    "CREATE TRIGGER": [TRIGGER],
    "DROP TRIGGER": ["DROP TRIGGER soniq_jobs_wake ON soniq_jobs"],
    "SET (fillfactor = …)": ["ALTER TABLE soniq_jobs SET (fillfactor = 90)"],
    "SET UNLOGGED": ["ALTER TABLE soniq_jobs SET UNLOGGED"],
}
LOCKS = """
    SELECT upper(regexp_replace(replace(mode, 'Lock', ''), '(?<=[a-z])(?=[A-Z])', ' ', 'g'))
    FROM pg_locks WHERE pid = %s AND relation = 'soniq_jobs'::regclass AND granted
"""


@pytest.fixture
def project(database_url: str, tmp_path: Path) -> Project:
    """Return a project whose database is up to date."""
    made = Project(tmp_path, database_url)
    made.write_models("include_tables(Base.metadata, notify='trigger')")
    made.autogenerate("first")
    made.alembic("upgrade", "head")
    return made


def test_each_step_does_what_the_page_says(project: Project) -> None:
    project.write_models("include_tables(Base.metadata)")
    migration = project.autogenerate("no trigger")
    project.alembic("upgrade", "head")
    project.install_next_version()
    steps, shown = blocks(PAGE)
    environment = {name: one for name, one in project.environment.items() if name != "PATH"}
    with Terminal(project.folder, environment) as terminal:
        terminal.run(steps.text)
    project.check()
    (made,) = [
        found
        for file in migration.file.parent.glob("*.py")
        if f"Revises: {migration.revision}" in (found := Migration(file)).text
    ]
    first, *others = shown_steps(shown.text)
    assert first == LOCK_TIMEOUT
    assert f"`{LOCK_TIMEOUT}`" in TEXT
    assert others == made.steps("upgrade")


def shown_steps(text: str) -> list[str]:
    """Return the statements that the page shows, those in the block one by one."""
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    return [
        ast.unparse(one)
        for node in function.body
        for one in (node.body if isinstance(node, ast.With) else [node])
    ]


def test_the_page_has_these_statements_and_no_others() -> None:
    named = re.findall(r"^\| (`[A-Z][^|]*) \| (?:`[A-Z ]+`|none) \|", TEXT, re.MULTILINE)
    assert {name for cell in named for name in re.findall(r"`(.+?)`", cell)} == {
        *STATEMENTS,
        "SET LOGGED",
    }


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_statement_takes_the_lock_that_the_page_names(name: str, project: Project) -> None:
    *before, statement = STATEMENTS[name]
    mode = strongest_lock(project, before, statement)
    cell = mode if mode == "none" else f"`{mode}`"
    (line,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{name}`")]
    _, _, shown, workers, _ = line.split(" | ".strip())
    assert shown.strip() == cell
    assert workers.strip().startswith("wait" if MODES.index(mode) > 1 else "go on")


def strongest_lock(project: Project, before: list[str], statement: str) -> str:
    """Return the strongest lock on the jobs that a statement holds, before others let it end."""
    for one in before:
        project.execute(one)
    url = libpq_url(project.url)
    online = "CONCURRENTLY" in statement
    with (
        psycopg.connect(url) as other,
        psycopg.connect(url, autocommit=True) as watching,
        psycopg.connect(url, autocommit=online) as connection,
    ):
        pid = connection.info.backend_pid
        if not online:
            connection.execute(statement)  # type: ignore[call-overload]
            return strongest(watching, pid)
        other.execute("LOCK TABLE soniq_jobs IN ROW EXCLUSIVE MODE")
        run = threading.Thread(target=connection.execute, args=(statement,))
        run.start()
        try:
            until(lambda: strongest(watching, pid) != "none", "a lock")
            return strongest(watching, pid)
        finally:
            other.rollback()
            run.join()


def strongest(watching: psycopg.Connection[tuple[str]], pid: int) -> str:
    """Return the strongest lock that a process holds on the jobs."""
    held = [mode for (mode,) in watching.execute(LOCKS, (pid,)) if mode in MODES]
    return max(held, key=MODES.index, default="none")


def test_each_release_has_a_line_about_its_migration() -> None:
    assert f"\n| {version('soniq-sa')} | " in TEXT
