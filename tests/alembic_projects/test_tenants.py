"""One set of migrations for many schemas: each run has another ``search_path``."""

from __future__ import annotations

import pytest

from tests.alembic_projects.project import BASE, Project

COLUMN = "    job_id: Mapped[uuid.UUID | None] = mapped_column(job_fk())\n"
MODELS = f"""{BASE}
class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
{COLUMN}
include_tables(Base.metadata, notify="trigger")
"""
SEARCH = """\
with connectable.connect() as connection:
        tenant = context.get_x_argument(as_dictionary=True)["tenant"]
        connection.exec_driver_sql(f"SET search_path TO {tenant}")
        connection.commit()
        connection.dialect.default_schema_name = tenant
"""
ANN, BOB = ("-x", "tenant=ann"), ("-x", "tenant=bob")


@pytest.fixture
def tenants(project: Project) -> Project:
    """Return a project with two tenants, and one revision that was made for the first."""
    project.begin()
    project.replace("migrations/env.py", "with connectable.connect() as connection:\n", SEARCH)
    project.write("models.py", MODELS)
    project.execute("CREATE SCHEMA ann", "CREATE SCHEMA bob")
    written = project.autogenerate("first", *ANN)
    for schema in ("public", "ann", "bob", "schema="):
        assert schema not in written
    for tenant in (ANN, BOB):
        project.alembic(*tenant, "upgrade", "head")
    return project


def of(project: Project, schema: str) -> set[str]:
    """Return the names of what is in a schema."""
    return {name.partition(".")[2] for name in project.objects() if name.startswith(f"{schema}.")}


def test_each_schema_gets_the_same_and_public_nothing(tenants: Project) -> None:
    tenants.check(*ANN)
    tenants.check(*BOB)
    assert of(tenants, "ann") == of(tenants, "bob") > {"soniq_jobs", "soniq_jobs_wake()", "orders"}
    assert of(tenants, "public") == set()


def test_a_difference_is_found_in_its_schema_alone(tenants: Project) -> None:
    tenants.execute(
        "ALTER TABLE bob.soniq_jobs SET (fillfactor = 20)",
        "DROP INDEX bob.ix_soniq_jobs_due_1",
    )
    tenants.check(*ANN)
    told = tenants.differs(*BOB)
    for part in ("fillfactor = 20", "ix_soniq_jobs_due_1"):
        assert part in told
    written = tenants.autogenerate("mended", *BOB)
    assert "bob" not in written
    tenants.alembic(*BOB, "upgrade", "head")
    tenants.alembic(*ANN, "upgrade", "head")
    tenants.check(*ANN)
    tenants.check(*BOB)


def test_a_tenant_goes_alone(tenants: Project) -> None:
    tenants.alembic(*ANN, "downgrade", "base")
    assert of(tenants, "ann") == set()
    tenants.check(*BOB)
    tenants.execute("INSERT INTO bob.soniq_jobs (id, task) VALUES (gen_random_uuid(), 'greet')")


def test_removal_goes_through_each_schema(tenants: Project) -> None:
    tenants.replace("models.py", 'include_tables(Base.metadata, notify="trigger")', "")
    tenants.replace("models.py", COLUMN, "")
    written = tenants.autogenerate("removed", *ANN)
    assert "ann" not in written
    for tenant, schema in ((ANN, "ann"), (BOB, "bob")):
        tenants.alembic(*tenant, "upgrade", "head")
        tenants.check(*tenant)
        assert not [name for name in of(tenants, schema) if "soniq" in name]
