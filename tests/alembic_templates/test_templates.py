"""The Alembic templates, through Alembic's own command line in a real project folder."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from soniq_sa.engines import make_sync_engine

TEMPLATES = Path(__file__).parents[2] / "alembic_templates"

MODELS = """
from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from soniq_sa.models import JobMixin, include_tables

class Base(DeclarativeBase):
    metadata = MetaData({metadata})

class Tenant(Base):
    __tablename__ = "tenants"
    id: Mapped[int] = mapped_column(primary_key=True)

class Job(JobMixin, Base):
    tenant_id: Mapped[int | None] = mapped_column(ForeignKey(Tenant.id))

include_tables(Base.metadata)
"""
CONVENTION = 'naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s", "ix": "ix_%(column_0_label)s"}'


class Project:
    """A folder with models, and Alembic in it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.engine = make_sync_engine(url)
        self._environment = {**os.environ, "DATABASE_URL": url, "PYTHONWARNINGS": "default"}

    def alembic(self, *arguments: str) -> str:
        """Run Alembic, and return what it prints; fail if it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def tables(self) -> set[str]:
        """Return the tables of all schemas."""
        inspector = inspect(self.engine)
        schemas = [name for name in inspector.get_schema_names() if name != "information_schema"]
        return {table for schema in schemas for table in inspector.get_table_names(schema=schema)}

    def migration(self) -> str:
        """Return the text of the only migration."""
        (file,) = (self.folder / "migrations" / "versions").glob("*.py")
        return file.read_text()


@pytest.fixture(params=["async", "sync"])
def project(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> Iterator[Project]:
    found = Project(tmp_path, database_url)
    found.alembic("init", "-t", str(TEMPLATES / request.param), "migrations")
    yield found
    found.engine.dispose()


@pytest.mark.parametrize("metadata", ["", 'schema="app"', CONVENTION])
def test_a_new_project_goes_up_is_clean_and_comes_down_again(
    project: Project, metadata: str
) -> None:
    (project.folder / "models.py").write_text(MODELS.format(metadata=metadata))
    with project.engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA app"))
    project.alembic("revision", "--autogenerate", "-m", "first")
    assert "soniq_sa" not in project.migration()
    project.alembic("upgrade", "head")
    assert {"tenants", "soniq_jobs", "soniq_attempts", "soniq_workers"} <= project.tables()
    project.alembic("check")
    project.alembic("downgrade", "base")
    assert project.tables() == {"alembic_version"}


def test_a_migration_can_be_written_as_sql(project: Project) -> None:
    (project.folder / "models.py").write_text(MODELS.format(metadata=""))
    project.alembic("revision", "--autogenerate", "-m", "first")
    sql = project.alembic("upgrade", "head", "--sql")
    assert "CREATE TABLE soniq_jobs" in sql
    assert "WHERE state = 'queued'" in sql
