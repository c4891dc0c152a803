"""The library goes in one revision, with every reference to it and from it."""

from __future__ import annotations

import pytest

from tests.alembic_projects.project import BASE, Project

TENANT = """
class Tenant(Base):
    __tablename__ = "tenants"
    id: Mapped[int] = mapped_column(primary_key=True)

class ZReport(Base):
    __tablename__ = "z_reports"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
KEYS = {
    "of theirs": "    job_id: Mapped[uuid.UUID | None] = mapped_column(job_fk())\n",
    "of a table that goes too": """
class AttachmentOfJob(Base):
    __tablename__ = "attachments"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("soniq_jobs.id"))
""",
    "of ours": """
class Job(JobMixin, Base):
    tenant_id: Mapped[int | None] = mapped_column(ForeignKey("tenants.id"))
""",
}
KEYS["both ways"] = KEYS["of theirs"] + KEYS["of a table that goes too"] + KEYS["of ours"]


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
def test_one_revision_removes_all_and_brings_it_back(project: Project, keys: str) -> None:
    project.begin()
    project.write("models.py", BASE + TENANT)
    project.migrate("tenants")
    without = project.objects()
    include = 'include_tables(Base.metadata, notify="trigger", durability="durable")\n'
    project.write("models.py", f"{BASE}{TENANT}{keys}\n{include}")
    project.migrate("jobs")
    having = project.objects()
    project.write("models.py", BASE + TENANT)
    written = project.migrate("removed")
    assert "soniq_sa" not in written.replace("soniq_sa wakes the workers", "").replace(
        "$soniq_sa$", ""
    ).replace("'soniq_sa:", "'").replace("soniq_sa:soniq_jobs", "")
    assert project.objects() == without
    project.alembic("downgrade", "-1")
    assert project.objects() == having
    fires(project)
    project.alembic("upgrade", "head")
    assert project.objects() == without
    project.check()
    project.alembic("downgrade", "base")
    assert project.objects() == set()


def fires(project: Project) -> None:
    """Fail if the trigger that came back does not notify, or cannot."""
    query = "SELECT count(*) FROM pg_trigger WHERE tgname = 'soniq_jobs_wake' AND tgenabled = 'O'"
    assert project.value(query) == 1
    project.execute("INSERT INTO soniq_jobs (id, task) VALUES (gen_random_uuid(), 'greet')")
