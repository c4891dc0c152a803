"""What PostgreSQL's catalogs say of our tables, beyond what SQLAlchemy reflects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, TextClause, text

from soniq_sa.models.roles import Role
from soniq_sa.models.wake_trigger import FUNCTION_MARK

_TABLE = text("""
    SELECT t.oid, t.relpersistence = 'u' AS volatile,
           coalesce(t.reloptions, '{}') || ARRAY(
             SELECT 'toast.' || option FROM pg_class x, unnest(x.reloptions) option
             WHERE x.oid = t.reltoastrelid) AS storage
    FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE n.nspname = coalesce(:schema, current_schema()) AND t.relname = :name
      AND t.relkind IN ('r', 'p')
""")
_CHECKS = text("""
    SELECT 'check' AS kind, conname AS name, pg_get_expr(conbin, conrelid) AS condition,
           pg_get_expr(conbin, conrelid) AS definition, convalidated AS valid
    FROM pg_constraint WHERE conrelid = :oid AND contype = 'c' ORDER BY conname
""")
_INDEXES = text("""
    SELECT 'index' AS kind, relname AS name, pg_get_expr(indpred, indrelid) AS condition,
           pg_get_indexdef(indexrelid) AS definition, indisvalid AS valid
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = :oid ORDER BY relname
""")
_FUNCTIONS = text("""
    SELECT n.nspname AS schema, p.proname AS name, p.prosrc AS body,
           g.oid IS NOT NULL AS has_trigger, t.relname AS table
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    LEFT JOIN pg_trigger g ON g.tgfoid = p.oid LEFT JOIN pg_class t ON t.oid = g.tgrelid
    WHERE p.prosrc LIKE :mark AND n.nspname = ANY (CAST(:schemas AS text[])) ORDER BY 1, 2
""")
_JOB_TABLES = text("""
    SELECT nullif(n.nspname, current_schema()) AS schema, t.relname AS name
    FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE t.relkind = 'r' AND n.nspname = ANY (CAST(:schemas AS text[])) AND EXISTS (
      SELECT FROM pg_index JOIN pg_class i ON i.oid = indexrelid
      WHERE indrelid = t.oid AND i.relname ~ ('^ix_' || t.relname || '_claim_[0-9]+$'))
""")


@dataclass(frozen=True, slots=True)
class LiveObject:
    """A check or an index. An index that is not partial has no condition."""

    kind: Literal["check", "index"]
    name: str
    condition: str | None
    definition: str
    valid: bool


@dataclass(frozen=True, slots=True)
class LiveTable:
    """A table as it is."""

    volatile: bool
    storage: tuple[str, ...]
    checks: dict[str, LiveObject]
    indexes: dict[str, LiveObject]


@dataclass(frozen=True, slots=True)
class LiveFunction:
    """A function that wakes workers, and the table whose trigger calls it, if one does."""

    schema: str
    name: str
    body: str
    has_trigger: bool
    table: str | None


def read_table(connection: Connection, schema: str | None, name: str) -> LiveTable | None:
    """Return a table, if it is there; no schema means the default one."""
    found = connection.execute(_TABLE, {"schema": schema, "name": name}).one_or_none()
    if found is None:
        return None
    return LiveTable(
        volatile=found.volatile,
        storage=tuple(found.storage),
        checks=_objects(connection, _CHECKS, found.oid),
        indexes=_objects(connection, _INDEXES, found.oid),
    )


def read_functions(connection: Connection, schemas: Iterable[str | None]) -> list[LiveFunction]:
    """Return every function of ours in the schemas."""
    parameters = {"mark": f"%{FUNCTION_MARK}%", "schemas": _names(connection, schemas)}
    return [LiveFunction(**row) for row in connection.execute(_FUNCTIONS, parameters).mappings()]


def read_our_tables(
    connection: Connection, schemas: Iterable[str | None]
) -> set[tuple[str | None, str]]:
    """Return schema and name of every job table, one with our index for claims, and its companions."""
    rows = connection.execute(_JOB_TABLES, {"schemas": _names(connection, schemas)}).all()
    companions = {
        (row.schema, f"{row.name.removesuffix(Role.JOB)}{role}") for row in rows for role in Role
    }
    return {(row.schema, row.name) for row in rows} | companions


def _names(connection: Connection, schemas: Iterable[str | None]) -> list[str | None]:
    return [schema or connection.dialect.default_schema_name for schema in schemas]


def _objects(connection: Connection, query: TextClause, oid: int) -> dict[str, LiveObject]:
    rows = connection.execute(query, {"oid": oid}).mappings()
    return {row["name"]: LiveObject(**row) for row in rows}
