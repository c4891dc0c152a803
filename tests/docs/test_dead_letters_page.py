"""The page about dead letters: its commands and programs run, and its tables are complete."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.src.write import ROOT, blocks
from soniq_sa.engines import asyncpg_url
from tests.docs.terminal import Terminal

PAGE = ROOT / "docs" / "dead_letters.md"
SOURCES = ROOT / "docs" / "src" / "dead_letters"
BEGIN = """
import asyncio, jobs

async def main():
    await jobs.soniq.create_all(jobs.engine)
    for order in (1, 2):
        await jobs.soniq.enqueue(jobs.charge, order)
        await jobs.soniq.run_worker(run_once=True, handle_signals=False)
    await jobs.engine.dispose()

asyncio.run(main())
"""
CONTINUE = """
import asyncio, jobs

asyncio.run(jobs.soniq.run_worker(run_once=True, handle_signals=False))
"""


@pytest.fixture
def terminal(database_url: str, tmp_path: Path) -> Iterator[Terminal]:
    """Return a terminal in the reader's project, in whose database two jobs are dead."""
    for name in ("jobs.py", "triage.py", "transaction.py"):
        shutil.copy(SOURCES / name, tmp_path)
    url = asyncpg_url(database_url).render_as_string(hide_password=False)
    environment = {"DATABASE_URL": url, "SONIQ_SA_DATABASE_URL": url, "COLUMNS": "200"}
    with Terminal(tmp_path, environment) as opened:
        run(opened, tmp_path, "-c", BEGIN)
        yield opened


def run(terminal: Terminal, folder: Path, *arguments: str, **environment: str) -> str:
    """Run Python in the project, and return what it writes."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**terminal.environment, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_write_what_the_page_shows(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run((SOURCES / "shell.console").read_text("utf-8"))
    charged = run(terminal, tmp_path, "-c", CONTINUE, BANK="open")
    assert charged == "order 1 charged\norder 2 charged\n"


def test_the_program_looks_replays_deletes_and_exports(terminal: Terminal, tmp_path: Path) -> None:
    written = run(terminal, tmp_path, "triage.py")
    assert "2 {'retries exhausted': 2}\n" in written
    assert re.search(r"^\S{36} retries exhausted {'order': 2} Traceback", written, re.MULTILINE)
    _, _, table = written.partition(", and 1 more\n\n")
    (row,) = csv.DictReader(io.StringIO(table))
    assert (row["args"], row["replays"]) == ('{"order": 2}', "2")
    charged = run(terminal, tmp_path, "-c", CONTINUE, BANK="open").splitlines()
    assert sorted(charged) == ["order 1 charged", "order 1 charged", "order 2 charged"]


def test_replays_are_part_of_async_and_sync_transactions(
    terminal: Terminal, tmp_path: Path
) -> None:
    assert run(terminal, tmp_path, "transaction.py") == "2\n"


def test_every_file_of_the_page_is_run_here() -> None:
    shown = {block.source.name for block in blocks(PAGE)}
    assert shown | {"jobs.py"} == {one.name for one in SOURCES.iterdir() if one.is_file()}
