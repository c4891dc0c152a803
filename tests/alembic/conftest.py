"""A project on a database of its own."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from soniq_sa.localserver.databases import libpq_url
from tests.alembic.project import Project


@pytest.fixture
def database(database_url: str) -> str:
    """Return the URL of a database that is empty but for the schema ``app``."""
    with psycopg.connect(libpq_url(database_url), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA app")
    return database_url


@pytest.fixture
def project(database: str, tmp_path: Path) -> Project:
    """Return a project without models."""
    return Project(tmp_path, database)
