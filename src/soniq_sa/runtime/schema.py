"""Whether the database has the tables that the models say, before a worker touches them.

A column that this release adds may be missing still: then the worker goes on without it, and a release
can be deployed before or after its migration.
"""

from __future__ import annotations

from collections.abc import Sequence

from soniq_sa.errors import SchemaMissingError
from soniq_sa.link import DatabaseAway, Link
from soniq_sa.models.mixins import is_added
from soniq_sa.models.roles import Models
from soniq_sa.statements.schema import (
    alembic_versions,
    has_trigger,
    in_recovery,
    missing_columns,
    table_name,
)

_MIGRATE = (
    "Run the migrations: alembic upgrade head. If none of them makes this yet, make one first: "
    "alembic revision --autogenerate -m soniq-sa."
)
_CREATE = (
    "With Alembic: alembic revision --autogenerate -m jobs && alembic upgrade head. "
    "Without: soniq-sa schema create."
)
_CHANGE = "soniq-sa schema sql --upgrade prints the statements that make it."


async def check_schema(link: Link, models: Models) -> list[str]:
    """Return the columns, not needed yet, that the database lacks.

    Raises `SchemaMissingError` if a table, or a column that is needed, or the trigger is not there;
    `DatabaseAway`.
    """
    statement, parameters = missing_columns(models)
    missing = await link.execute(statement, parameters)
    added = {
        (table_name(table), column.name)
        for table in models.tables
        for column in table.columns
        if is_added(column)
    }
    tables = sorted({_shown(row.wanted_tables) for row in missing if row.no_table})
    lacking = [row for row in missing if not row.no_table]
    columns = sorted(
        f"{_shown(row.wanted_tables)}.{row.wanted_columns}"
        for row in lacking
        if (row.wanted_tables, row.wanted_columns) not in added
    )
    triggers = [] if tables or await _has_trigger(link, models) else [f"{models.jobs.name}_wake"]
    if tables or columns or triggers:
        parts = [
            _listed("table", tables),
            _listed("column", columns),
            _listed("trigger", triggers),
        ]
        remedy = _CREATE if tables else _CHANGE
        if await link.execute(alembic_versions()):
            remedy = _MIGRATE
        raise SchemaMissingError(
            f"The database lacks {' and '.join(part for part in parts if part)}. {remedy} "
            "To see every difference: soniq-sa schema check."
        )
    return sorted(f"{_shown(row.wanted_tables)}.{row.wanted_columns}" for row in lacking)


async def check_writable(link: Link) -> None:
    """Raise `DatabaseAway` if the server is a standby; the next connection may lead to another one."""
    ((is_standby,),) = await link.execute(in_recovery())
    if is_standby:
        await link.drop()
        raise DatabaseAway(
            "the server is a standby, which takes no writes; the worker waits until it is promoted, or "
            "until the URL leads to another server"
        )


async def _has_trigger(link: Link, models: Models) -> bool:
    if models.options.notify != "trigger":
        return True
    return any(row.found for row in await link.execute(has_trigger(models.jobs)))


def _listed(kind: str, names: Sequence[str]) -> str:
    return f"the {kind}{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else ""


def _shown(name: str) -> str:
    return name.replace('"', "")
