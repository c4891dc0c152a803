"""A database with the tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.dead_letter.morgue import Morgue


@pytest.fixture
def empty(tmp_path: Path, database_url: str) -> Iterator[Morgue]:
    """Return a database without tables."""
    made = Morgue(tmp_path, database_url)
    yield made
    made.engine.dispose()


@pytest.fixture
def morgue(empty: Morgue) -> Morgue:
    """Return a database with tables, and a folder without a program."""
    empty.create()
    (empty.folder / "shop.py").unlink()
    return empty
