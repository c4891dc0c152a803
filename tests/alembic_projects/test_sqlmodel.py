"""A project on SQLModel, whose classes share one metadata."""

from __future__ import annotations

from tests.alembic_projects.project import Project

HERO = """
import uuid
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {"fk": "fk_%(table_name)s_%(column_0_name)s"}

class Hero(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
"""
JOBS = """
    job_id: uuid.UUID | None = Field(default=None, foreign_key="soniq_jobs.id")

from soniq_sa.models import include_tables
include_tables(SQLModel.metadata)
"""
USE = """
import os
from models import Hero, SQLModel
from soniq_sa import Soniq, SoniqSession
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

engine = create_engine(os.environ["DATABASE_URL"])
Session = sessionmaker(engine, class_=SoniqSession)
soniq = Soniq(SQLModel.metadata, sessionmaker=Session)

@soniq.job
def greet(name: str) -> None: ...

if __name__ == "__main__":
    with Session.begin() as session:
        handle = session.enqueue(greet, "Ann")
        session.flush()
        session.add(Hero(name="Ann", job_id=handle.id))
    engine.dispose()
"""


def test_the_tables_join_those_of_sqlmodel(project: Project) -> None:
    project.begin("SQLModel.metadata")
    project.replace(
        "migrations/script.py.mako",
        "import sqlalchemy as sa",
        "import sqlalchemy as sa\nimport sqlmodel",
    )
    project.write("models.py", HERO)
    project.migrate("heroes")
    before = project.objects()
    project.write("models.py", HERO + JOBS)
    project.write("use.py", USE)
    written = project.migrate("jobs")
    assert written.index("'soniq_jobs'") < written.index("'hero'")
    project.succeed("use")
    assert project.value("SELECT count(*) FROM hero JOIN soniq_jobs ON job_id = soniq_jobs.id") == 1
    assert "as the application expects" in project.succeed(
        "soniq_sa", "schema", "check", "--app", "use:soniq"
    )
    assert project.objects() > before
