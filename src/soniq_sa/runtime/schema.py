"""Whether the database has the tables that the models say, before a worker touches them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from soniq_sa.errors import SchemaMissingError
from soniq_sa.models.roles import Models
from soniq_sa.runtime.link import Link
from soniq_sa.statements.schema import missing_columns

_REMEDY = (
    "Make a migration and run it: alembic revision --autogenerate -m jobs && alembic upgrade head. "
    "Without Alembic: soniq.create_all(engine)."
)


async def check_schema(link: Link, models: Models) -> None:
    """Raise `SchemaMissingError` if a table or column is not there; `DatabaseAway`."""
    statement, parameters = missing_columns(models)
    missing = await link.execute(statement, parameters)
    if missing:
        raise SchemaMissingError(f"The database lacks {_describe(missing)}. {_REMEDY}")


def _describe(missing: Any) -> str:
    tables = sorted({_shown(row) for row in missing if row.no_table})
    columns = sorted(f"{_shown(row)}.{row.wanted_columns}" for row in missing if not row.no_table)
    parts = [_listed("table", tables), _listed("column", columns)]
    return " and ".join(part for part in parts if part)


def _listed(kind: str, names: list[str]) -> str:
    return f"the {kind}{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else ""


def _shown(row: Row[Any]) -> str:
    return str(row.wanted_tables).replace('"', "")
