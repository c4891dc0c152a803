"""A reader who does what the quickstart says, block by block, gets what it shows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from docs.src.write import ROOT, Block, blocks
from soniq_sa.engines import asyncpg_url
from tests.docs.terminal import Terminal

WORKER = "soniq-sa worker --app jobs:soniq"
BY_HAND = {"install.console"}
"""What needs a registry, or another database server than the tests have."""


@pytest.mark.skipif(shutil.which("curl") is None, reason="the quickstart calls curl")
def test_each_block_of_the_quickstart_does_what_the_page_says(
    tmp_path: Path, database_url: str
) -> None:
    url = asyncpg_url(database_url).render_as_string(hide_password=False)
    steps = blocks(ROOT / "docs" / "quickstart.md")
    assert len(steps) > 15
    with Terminal(tmp_path, {"DATABASE_URL": url}) as terminal:
        for step in steps:
            if step.source.name not in BY_HAND:
                follow(step, tmp_path, terminal)


def follow(step: Block, folder: Path, terminal: Terminal) -> None:
    """Do what the page says beside a block."""
    name = step.source.name
    if step.region == "enqueue":
        replace(folder / name, r"( +session\.enqueue\(.*\n)+", indented(step.text, 8))
    elif step.language == "python":
        (folder / name).write_text(step.text, "utf-8")
    elif step.language == "text":
        terminal.expect(WORKER, step.text)
    else:
        if name == "request.console" and step.source.parent.name != "3_job":
            terminal.restart()
        terminal.run(step.text)


def replace(file: Path, pattern: str, text: str) -> None:
    """Replace the one place in a file that fits the pattern."""
    changed, count = re.subn(pattern, lambda _: text, file.read_text("utf-8"))
    assert count == 1, file
    file.write_text(changed, "utf-8")


def indented(text: str, columns: int) -> str:
    """Return ``text`` moved to the right."""
    return "".join(f"{' ' * columns}{line}\n" for line in text.splitlines())
