"""What the pages show is what the files and the states say, and their links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from docs.src.reference.parts import without_parts
from docs.src.write import PAGES, ROOT, blocks, current, source_text
from soniq_sa.states import JobState, Reason

DOCS = ROOT / "docs"
PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
OF_BENCH = "performance.md"
"""Its figures come from a benchmark, which takes minutes."""


@PAGE
def test_the_page_is_current(page: Path) -> None:
    assert page.read_text("utf-8") == current(page), "python -m docs.src.write"


@PAGE
def test_every_block_of_code_is_taken_from_a_file(page: Path) -> None:
    if page.name == OF_BENCH:
        pytest.skip(f"{OF_BENCH} shows the output of a benchmark")
    by_hand = without_parts(page.read_text("utf-8"))
    fences = re.findall(r"^```(?:python|console|sh)$", by_hand, re.MULTILINE)
    taken = [one for one in blocks(page) if one.language in {"python", "console", "sh"}]
    assert len(taken) == len(fences)


@PAGE
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if not target.startswith("http"):
            name, _, anchor = target.partition("#")
            linked = page.parent / name if name else page
            assert linked.exists(), target
            assert not anchor or anchor in headings(linked), target


def test_a_block_that_differs_from_its_file_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- docs/src/index/example.py#example -->\n```python\nstale\n```\n", "utf-8")
    (block,) = blocks(page)
    assert block.text == "stale\n"
    assert source_text(block.source, block.region) in current(page)


def test_the_check_of_the_pages_passes_as_a_command() -> None:
    command = [sys.executable, "-m", "docs.src.write", "--check"]
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == 0


def test_the_guarantees_page_has_every_state_and_reason() -> None:
    page = (DOCS / "guarantees.md").read_text("utf-8")
    for word in [*JobState, *Reason]:
        assert f"| `{word.value}` |" in page


@pytest.mark.parametrize("picture", sorted((DOCS / "assets").glob("*.svg")), ids=lambda p: p.stem)
def test_the_picture_has_a_title_and_colours_for_light_and_dark(picture: Path) -> None:
    root = ET.fromstring(picture.read_text("utf-8"))  # noqa: S314 - our own file
    space = {"svg": "http://www.w3.org/2000/svg"}
    assert root.findtext("svg:title", namespaces=space)
    assert "prefers-color-scheme: dark" in (root.findtext("svg:style", namespaces=space) or "")


def headings(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}
