"""A database for the doctor to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.doctor.clinic import Clinic


@pytest.fixture
def clinic(tmp_path: Path, database_url: str) -> Iterator[Clinic]:
    """Return a database with tables, in which a worker is alive."""
    made = Clinic(tmp_path, database_url)
    yield made
    made.close()
