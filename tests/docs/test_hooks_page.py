"""The examples of the page on hooks run, and show what the page says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.src.write import ROOT
from soniq_sa import Soniq
from soniq_sa.engines import asyncpg_url
from soniq_sa.hooks import HookDecorators
from soniq_sa.resources import ResourceDecorator

SOURCES = ROOT / "docs" / "src" / "hooks"
SHOWN = {
    "enqueueing.py": [
        "erase_account with {'user_id': 7} is frozen",
        "mail to ann@example.com for request r7",
    ],
    "hooks.py": [
        "add: attempt 1",
        "broken: hooks.broken",
        "add: 3",
        "divide: attempt 1",
        "broken: hooks.broken",
        "captured ZeroDivisionError('division by zero') of divide",
    ],
    "middleware.py": ["done None", "scheduled the tenant is closed"],
    "resources.py": ["opened", "the page /1", "the page /2", "closed"],
}


@pytest.mark.parametrize("script", SHOWN)
def test_the_example_shows_what_the_page_says(
    script: str, database_url: str, tmp_path: Path
) -> None:
    for file in (script, "shop.py"):
        shutil.copy(SOURCES / file, tmp_path)
    url = asyncpg_url(database_url).render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        check=False,
        cwd=tmp_path,
        env={"DATABASE_URL": url, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.replace("__main__", "hooks") for line in done.stdout.splitlines()] == SHOWN[script]


def test_every_script_is_run() -> None:
    assert {file.name for file in SOURCES.glob("*.py")} == {*SHOWN, "shop.py"}


def test_the_page_has_every_decorator() -> None:
    page = (ROOT / "docs" / "hooks.md").read_text("utf-8")
    names = {
        name
        for mixin in (HookDecorators, ResourceDecorator)
        for name in vars(mixin)
        if not name.startswith("_")
    }
    assert names == {name for name in names if f"| `@soniq.{name}` |" in page}
    assert all(hasattr(Soniq, name) for name in names)
