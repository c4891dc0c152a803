"""Whether the tables are there."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Executable, Text, column, func, select, table, text
from sqlalchemy.sql.schema import Table

from soniq_sa.models.roles import Models
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
    pairs = [(_quoted(one), name.name) for one in models.tables for name in one.columns]
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


def _quoted(one: Table) -> str:
    parts = [one.schema, one.name] if one.schema else [one.name]
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def ping() -> Any:
    """Ask for nothing, to see whether the server answers."""
    return text("SELECT 1")
