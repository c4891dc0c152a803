"""Whether the tables are there, with their trigger."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Executable, Text, column, func, select, table, text
from sqlalchemy.sql.schema import Table

from soniq_sa.models.roles import Models
from soniq_sa.models.sql_names import qualified
from soniq_sa.models.wake_trigger import WakeTrigger
from soniq_sa.statements.rows import rows


def missing_columns(models: Models) -> tuple[Executable, dict[str, list[str]]]:
    """Return a statement, with its parameters, for the columns that the database lacks."""
    wanted = rows("wanted", wanted_tables=Text(), wanted_columns=Text())
    attributes = table(
        "pg_attribute",
        column("attrelid"),
        column("attname", Text()),
        column("attisdropped", Boolean()),
    )
    present = (
        select(attributes.c.attname)
        .where(
            attributes.c.attrelid == func.to_regclass(wanted.c.wanted_tables),
            attributes.c.attname == wanted.c.wanted_columns,
            ~attributes.c.attisdropped,
        )
        .correlate(wanted)
        .exists()
    )
    pairs = [(table_name(one), name.name) for one in models.tables for name in one.columns]
    parameters = {
        "wanted_tables": [pair[0] for pair in pairs],
        "wanted_columns": [pair[1] for pair in pairs],
    }
    statement = select(
        wanted.c.wanted_tables,
        wanted.c.wanted_columns,
        func.to_regclass(wanted.c.wanted_tables).is_(None).label("no_table"),
    ).where(~present)
    return statement, parameters


def has_trigger(jobs: Table) -> Executable:
    """Ask whether the job table has the trigger that wakes workers."""
    triggers = table("pg_trigger", column("tgrelid"), column("tgname", Text()))
    return select(
        select(triggers.c.tgname)
        .where(
            triggers.c.tgrelid == func.to_regclass(table_name(jobs)),
            triggers.c.tgname == WakeTrigger.of(jobs, jobs.schema).name,
        )
        .exists()
        .label("found")
    )


def in_recovery() -> Executable:
    """Return whether the server is a standby."""
    return select(func.pg_is_in_recovery())


def alembic_versions() -> Executable:
    """Return the tables in which Alembic notes a version: in any schema, whose names end as usual."""
    tables = table("pg_tables", column("schemaname", Text()), column("tablename", Text()))
    return select(tables.c.schemaname, tables.c.tablename).where(
        tables.c.tablename.endswith("alembic_version")
    )


def table_name(one: Table) -> str:
    """Return the name of a table, for ``to_regclass``."""
    return qualified(one.name, one.schema)


def ping() -> Any:
    """Ask for nothing, to see whether the server answers."""
    return text("SELECT 1")
