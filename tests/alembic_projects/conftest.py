"""A folder and a database for one project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alembic_projects.project import Project


@pytest.fixture
def project(tmp_path: Path, database_url: str) -> Iterator[Project]:
    """Return an empty folder with an empty database."""
    made = Project(tmp_path, database_url)
    yield made
    made.engine.dispose()
