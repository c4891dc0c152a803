"""Our tables in one schema, the user's in two others, and somebody else's in a fourth."""

from __future__ import annotations

import pytest

from tests.alembic_projects.project import BASE, Project

COLUMN = '    job_id: Mapped[uuid.UUID | None] = mapped_column(job_fk("jobs.soniq_jobs.id"))\n'
MODELS = f"""{BASE}
class Order(Base):
    __tablename__ = "orders"
    __table_args__ = {{"schema": "sales"}}
    id: Mapped[int] = mapped_column(primary_key=True)
{COLUMN}
class Pallet(Base):
    __tablename__ = "pallets"
    __table_args__ = {{"schema": "stock"}}
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("sales.orders.id"))

include_tables(Base.metadata, schema="jobs", notify="trigger")
"""
FILTER = """\
def include_name(name, kind, parents):
    return kind != "schema" or name in {"jobs", "sales", "stock"}


def run_migrations_offline"""
OF_OTHERS = {"legacy.orders", "legacy.soniq_jobs", "legacy.touch()"}


@pytest.fixture
def schemas(project: Project) -> Project:
    """Return a project that keeps to three schemas, and a fourth with the same names in it."""
    project.begin(
        more="include_schemas=True, include_name=include_name, version_table_schema='sales',"
    )
    project.replace("migrations/env.py", "def run_migrations_offline", FILTER)
    project.write("models.py", MODELS)
    project.execute(
        *(f"CREATE SCHEMA {name}" for name in ("jobs", "sales", "stock", "legacy")),
        "CREATE TABLE legacy.orders (number integer)",
        "CREATE TABLE legacy.soniq_jobs (number integer)",
        "CREATE FUNCTION legacy.touch() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    )
    return project


def test_each_table_goes_into_its_schema_and_others_are_left_alone(schemas: Project) -> None:
    written = schemas.migrate("first")
    assert "legacy" not in written
    assert "public" not in written
    found = schemas.objects()
    assert found > {"jobs.soniq_jobs", "jobs.soniq_jobs_wake()", "sales.orders", "stock.pallets"}
    assert found > OF_OTHERS
    schemas.alembic("downgrade", "base")
    assert schemas.objects() == OF_OTHERS


def test_a_change_in_our_schema_is_found_and_mended(schemas: Project) -> None:
    schemas.migrate("first")
    schemas.execute("ALTER TABLE jobs.soniq_jobs SET (fillfactor = 20)")
    schemas.execute("DROP TRIGGER soniq_jobs_wake ON jobs.soniq_jobs")
    schemas.execute("DROP INDEX jobs.ix_soniq_jobs_due_1")
    written = schemas.migrate("mended")
    for part in ("fillfactor = 70", "CREATE TRIGGER soniq_jobs_wake", "ix_soniq_jobs_due_1"):
        assert part in written


def test_the_schema_is_not_searched_where_alembic_is_not_told_to(schemas: Project) -> None:
    schemas.migrate("first")
    schemas.replace("migrations/env.py", "include_schemas=True, ", "")
    assert "soniq_jobs" in schemas.differs(), "this is why the page says include_schemas=True"


def test_removal_leaves_the_other_schemas_alone(schemas: Project) -> None:
    schemas.migrate("first")
    schemas.replace(
        "models.py", 'include_tables(Base.metadata, schema="jobs", notify="trigger")', ""
    )
    schemas.replace("models.py", COLUMN, "")
    schemas.migrate("removed")
    found = schemas.objects()
    assert not [name for name in found if name.startswith("jobs.")]
    assert found > OF_OTHERS | {"sales.orders", "stock.pallets"}
