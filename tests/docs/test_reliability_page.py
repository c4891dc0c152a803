"""Every promise of the documentation names the tests that fail when it is broken, and they exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from docs.src.write import ROOT

PAGE = ROOT / "docs" / "reliability.md"
PROMISE = re.compile(r"\bP\d+\b")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
LISTS = {"README.md": "## What it guarantees", "docs/guarantees.md": "# Guarantees"}
"""Where promises are made: a list below a heading."""


def rows() -> list[str]:
    """Return the rows of the tables that name tests."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", PAGE.read_text("utf-8"), re.MULTILINE):
        head, _, *body = table.splitlines()
        if "proved by" in head:
            found += body
    return found


def promised(page: str) -> list[str]:
    """Return the promises that a page makes, item by item."""
    text = (ROOT / page).read_text("utf-8").split(f"{LISTS[page]}\n", 1)[1]
    section = re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^(?:-|\d+\.) (.*(?:\n  .*)*)", section, re.MULTILINE)


@cache
def names_in(file: Path) -> frozenset[str]:
    """Return the names of the tests of a file."""
    tree = ast.parse(file.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.split("|")[1].strip()[:50])
def test_each_promise_and_each_fault_has_tests_that_exist(row: str) -> None:
    named = TEST.findall(row)
    assert named, f"no test proves: {row}"
    for path, name in named:
        assert (ROOT / path).is_file(), path
        assert name in names_in(ROOT / path), f"{path} has no {name}"


@pytest.mark.parametrize("page", LISTS)
def test_each_promise_that_a_page_makes_is_in_the_table(page: str) -> None:
    proved = {number for row in rows() for number in PROMISE.findall(row.split("|")[1])}
    items = promised(page)
    assert len(items) >= 4
    for item in items:
        numbers = set(PROMISE.findall(item))
        assert numbers, f"{page} promises without a number: {item}"
        assert numbers <= proved, f"{page}: {numbers - proved} is not in {PAGE.name}"


def test_the_table_has_the_nine_promises() -> None:
    first = [row.split("|")[1] for row in rows()]
    assert [number for cell in first for number in PROMISE.findall(cell)][:9] == [
        f"P{number}" for number in range(1, 10)
    ]
