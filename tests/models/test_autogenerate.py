"""``alembic revision --autogenerate`` finds nothing to do once the tables are there (P6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import alembic.autogenerate
import pytest
import sqlalchemy as sa
import sqlmodel
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, ForeignKey, MetaData, inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from soniq_sa.models import JobMixin, include_tables
from tests.models.styles import STYLES
from tests.models.test_include import CONVENTION


def included(*, convention: bool = False, **options: Any) -> Callable[[], MetaData]:
    def make() -> MetaData:
        metadata = MetaData(
            schema=options.pop("metadata_schema", None),
            naming_convention=CONVENTION if convention else None,
        )
        include_tables(metadata, **options)
        return metadata

    return make


def with_columns() -> MetaData:
    class Base(DeclarativeBase):
        metadata = MetaData(naming_convention=CONVENTION)

    class Tenant(Base):
        __tablename__ = "tenants"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Job(JobMixin, Base):
        tenant_id: Mapped[int | None] = mapped_column(ForeignKey("tenants.id"), index=True)

    include_tables(Base.metadata)
    return Base.metadata


CASES: dict[str, Callable[[], MetaData]] = {
    "default": included(),
    "schema": included(schema="work"),
    "schema of the metadata": included(metadata_schema="work"),
    "prefix": included(prefix="background_"),
    "no prefix": included(prefix=""),
    "naming convention": included(convention=True),
    "all of them": included(convention=True, schema="work", prefix="bg_"),
    "columns of the user": with_columns,
    **{name: lambda make=make: make().metadata for name, make in STYLES.items()},
}


@pytest.fixture
def context(engine: Engine) -> Any:
    """Return a migration context that compares everything it can."""
    with engine.connect() as connection:
        yield MigrationContext.configure(
            connection,
            opts={"compare_type": True, "compare_server_default": True, "include_schemas": True},
        )


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_nothing_is_left_to_do_after_create_all(context: Any, make: Any) -> None:
    metadata = make()
    metadata.create_all(context.connection)
    assert alembic.autogenerate.compare_metadata(context, metadata) == []


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_the_generated_migration_makes_everything_and_takes_it_back(
    context: Any, make: Any
) -> None:
    metadata = make()
    script = alembic.autogenerate.produce_migrations(context, metadata)
    up = render(context, script.upgrade_ops)
    down = render(context, script.downgrade_ops)
    assert "soniq_sa" not in up + down
    assert "info=" not in up + down
    run(context, up)
    assert alembic.autogenerate.compare_metadata(context, metadata) == []
    run(context, down)
    found = inspect(context.connection)
    assert found.get_table_names() == found.get_table_names(schema="work") == []


def render(context: Any, operations: Any) -> str:
    """Return the body of a function in a migration."""
    return str(alembic.autogenerate.render_python_code(operations, migration_context=context))


def run(context: Any, body: str) -> None:
    """Run the body of a function in a migration, with the imports of its file."""
    names = {"op": Operations(context), "sa": sa, "sqlmodel": sqlmodel, "postgresql": postgresql}
    exec(f"if True:\n    {body}", names)  # noqa: S102 - a migration is code


def test_the_migration_carries_the_predicates(context: Any) -> None:
    script = alembic.autogenerate.produce_migrations(context, CASES["default"]())
    run(context, render(context, script.upgrade_ops))
    predicates = context.connection.exec_driver_sql(
        "SELECT relname, pg_get_expr(indpred, indrelid) AS predicate FROM pg_index "
        "JOIN pg_class ON oid = indexrelid WHERE relname LIKE 'ix_soniq_jobs_%%'"
    ).all()
    found = {row.relname: row.predicate for row in predicates}
    assert found.pop("ix_soniq_jobs_prune_1") == "(keep_until IS NOT NULL)"
    assert {name: predicate.split("'")[1] for name, predicate in found.items()} == {
        "ix_soniq_jobs_claim_1": "queued",
        "ix_soniq_jobs_suspect_1": "queued",
        "ix_soniq_jobs_dead_1": "dead",
        "ix_soniq_jobs_due_1": "scheduled",
        "ix_soniq_jobs_owner_1": "processing",
    }
