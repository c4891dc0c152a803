"""Every example of the documentation runs, and every console block shows what happens."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.src.write import PAGES, ROOT, Block, blocks
from soniq_sa.engines import asyncpg_url
from tests.docs.terminal import Terminal

SOURCES = ROOT / "docs" / "src"
MODULES = {"shop.py", "jobs.py", "models.py", "typed.py"}
"""What the scripts import, and what the type checkers refuse."""
SCRIPTS = [
    script
    for folder in (
        "index",
        "audit",
        "coming_from_pgqueuer",
        "coming_from_pq",
        "coming_from_soniq",
        "control",
        "enqueue",
        "guarantees",
        "options",
        "other_services",
        "outcomes",
        "progress",
        "results",
        "retention",
        "retries",
        "security",
        "worker",
    )
    for script in sorted((SOURCES / folder).glob("*.py"))
    if script.name not in MODULES
]
TOLD_IN_ORDER = {
    "dead_letters.md",
    "existing_project.md",
    "own_history.md",
    "quickstart.md",
    "remove.md",
    "sql.md",
    "storage.md",
    "upgrade.md",
    "without_alembic.md",
}
"""Pages whose blocks need each other; each has a test of its own."""
CONSOLES = [
    block
    for page in PAGES
    if page.name not in TOLD_IN_ORDER
    for block in blocks(page)
    if block.language == "console" and block.source.stem not in {"mypy", "pyright"}
]


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    """Return what the examples read: the URL of an empty database."""
    url = asyncpg_url(database_url).render_as_string(hide_password=False)
    return {"DATABASE_URL": url, "SONIQ_SA_DATABASE_URL": url}


@pytest.fixture
def terminal(environment: dict[str, str], tmp_path: Path) -> Iterator[Terminal]:
    """Return a terminal in an empty folder."""
    with Terminal(tmp_path, environment) as opened:
        yield opened


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_script_runs_without_warnings(script: Path, terminal: Terminal, tmp_path: Path) -> None:
    copy_modules(script.parent, tmp_path)
    arguments = [sys.executable, "-W", "error", script.name]
    if script.name == "enqueue.py":
        arguments.append("Ann")
        terminal.run("$ python create_tables.py\n")
    done = subprocess.run(
        arguments,
        check=False,
        cwd=tmp_path,
        env=terminal.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr


@pytest.mark.parametrize("block", CONSOLES, ids=lambda block: block.source.stem)
def test_the_console_block_shows_what_happens(
    block: Block, terminal: Terminal, tmp_path: Path
) -> None:
    copy_modules(block.source.parent, tmp_path)
    terminal.run(block.text)


def test_the_tests_for_sqlite_pass(tmp_path: Path) -> None:
    copy_modules(SOURCES / "enqueue" / "sqlite", tmp_path)
    arguments = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:asyncio"]
    done = subprocess.run(arguments, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def copy_modules(folder: Path, target: Path) -> None:
    """Copy the modules of an example to where nothing else is."""
    for file in folder.glob("*.py"):
        shutil.copy(file, target)
