"""Tables with rows and history from before ours, and foreign keys from them to the jobs."""

from __future__ import annotations

import pytest

from tests.alembic_projects.project import BASE, Project

CUSTOMERS = """
class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
REPORTS = """
class AReport(Base):
    __tablename__ = "a_reports"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[uuid.UUID | None] = mapped_column({reference})
"""
COLUMN = "    job_id: Mapped[uuid.UUID | None] = mapped_column({reference})\n"
INCLUDE = "include_tables(Base.metadata)\n"
KEY = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE confrelid = 'soniq_jobs'::regclass"
JOB = "INSERT INTO soniq_jobs (id, task) VALUES ('00000000-0000-0000-0000-00000000000{}', 'greet')"
REFERENCES = pytest.mark.parametrize(
    ("reference", "definition"),
    [
        ("job_fk()", "ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED"),
        ("ForeignKey('soniq_jobs.id')", "REFERENCES soniq_jobs(id)"),
    ],
    ids=["job_fk", "plain"],
)


@pytest.fixture
def old(project: Project) -> Project:
    """Return a project with a table, a row, and two revisions."""
    project.begin()
    project.write("models.py", BASE + CUSTOMERS)
    project.migrate("customers")
    project.write("models.py", f"{BASE}{CUSTOMERS}    email: Mapped[str | None]\n")
    project.migrate("emails")
    project.execute("INSERT INTO customers (email) VALUES ('ann@shop.example')")
    return project


@REFERENCES
def test_a_new_table_may_refer_to_the_jobs(old: Project, reference: str, definition: str) -> None:
    before = old.objects()
    reports = REPORTS.format(reference=reference)
    old.write("models.py", f"{BASE}{CUSTOMERS}    email: Mapped[str | None]\n{reports}\n{INCLUDE}")
    old.migrate("jobs")
    assert old.value(KEY).endswith(definition)
    old.execute(JOB.format(1), "INSERT INTO a_reports (job_id) SELECT id FROM soniq_jobs")
    goes_and_comes(old, before)


@REFERENCES
def test_a_new_column_may_refer_to_the_jobs(old: Project, reference: str, definition: str) -> None:
    before = old.objects()
    column = COLUMN.format(reference=reference)
    old.write("models.py", f"{BASE}{CUSTOMERS}    email: Mapped[str | None]\n{column}\n{INCLUDE}")
    old.migrate("jobs")
    assert old.value(KEY).endswith(definition)
    old.execute(JOB.format(1), "UPDATE customers SET job_id = (SELECT id FROM soniq_jobs)")
    goes_and_comes(old, before)


def goes_and_comes(project: Project, before: set[str]) -> None:
    """Take the last revision back, and repeat it; rows from before it stay."""
    after = project.objects()
    project.alembic("downgrade", "-1")
    assert project.objects() == before
    assert project.value("SELECT count(*) FROM customers") == 1
    project.alembic("upgrade", "head")
    assert project.objects() == after
    project.check()
    project.alembic("downgrade", "base")
    assert project.objects() == set()
