"""One env.py with two metadatas; the jobs are in the second."""

from __future__ import annotations

from tests.alembic_projects.project import Project

MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from soniq_sa.models import include_tables

class A(DeclarativeBase):
    pass

class B(DeclarativeBase):
    pass

class Customer(A):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)

class Report(B):
    __tablename__ = "reports"
    id: Mapped[int] = mapped_column(primary_key=True)

{include}
"""
TWICE = """
include_tables(A.metadata, prefix="a_", notify="trigger")
include_tables(B.metadata, prefix="b_", durability="volatile")
"""


def begin(project: Project, include: str) -> None:
    """Make the project, whose env.py has a list of metadatas."""
    project.begin("[A.metadata, B.metadata]")
    project.replace("migrations/env.py", "import A\n", "import A, B\n")
    project.write("models.py", MODELS.format(include=include))


def test_the_jobs_may_be_in_any_of_them(project: Project) -> None:
    begin(project, 'include_tables(B.metadata, notify="trigger")')
    project.migrate("first")
    assert project.objects() > {"public.customers", "public.reports", "public.soniq_jobs_wake()"}
    project.execute("ALTER TABLE soniq_jobs SET (fillfactor = 20)")
    assert "fillfactor = 20" in project.differs()
    project.migrate("mended")
    project.alembic("downgrade", "base")
    assert project.objects() == set()


def test_each_may_have_jobs_and_options_of_its_own(project: Project) -> None:
    begin(project, TWICE)
    project.migrate("first")
    assert persistence(project, "a_jobs") == "p"
    assert persistence(project, "b_jobs") == "u"
    assert "public.a_jobs_wake()" in project.objects()
    assert "public.b_jobs_wake()" not in project.objects()
    project.alembic("downgrade", "base")
    assert project.objects() == set()


def persistence(project: Project, table: str) -> str:
    """Return ``u`` for an unlogged table, else ``p``."""
    query = f"SELECT relpersistence::text FROM pg_class WHERE oid = '{table}'::regclass"  # noqa: S608
    return str(project.value(query))
