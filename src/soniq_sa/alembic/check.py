"""Compares a database with the models, through autogenerate itself: both always agree."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from alembic.autogenerate import produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import Operations, ops
from sqlalchemy import Connection, MetaData, Table

from soniq_sa.alembic.differences import Difference
from soniq_sa.alembic.operations import OnlineChange, ReversibleSQL
from soniq_sa.models.roles import Models

PLUGINS = ["alembic.autogenerate.*", "soniq_sa"]
"""What ``env.py`` passes as ``autogenerate_plugins``."""


def find_differences(connection: Connection, metadata: MetaData) -> list[Difference]:
    """Return in what our tables in the database differ from those of ``metadata``."""
    operations = list(_operations(connection, metadata))
    missing = {one.table_name for one in operations if isinstance(one, ops.CreateTableOp)}
    return [
        difference
        for operation in operations
        if not (isinstance(operation, ops.CreateIndexOp) and operation.table_name in missing)
        for difference in _differences(operation)
    ]


def upgrade_sql(connection: Connection, metadata: MetaData) -> str:
    """Return the statements that turn what the database has into what ``metadata`` says."""
    text = io.StringIO()
    options = {"as_sql": True, "output_buffer": text, "literal_binds": True}
    context = MigrationContext.configure(dialect_name="postgresql", opts=options)
    operations = Operations(context)
    found = list(_operations(connection, metadata))
    if not found:
        return ""
    with context.begin_transaction():
        for operation in found:
            _leave_index_out(operation)
            operations.invoke(operation)
    return text.getvalue()


def _leave_index_out(operation: ops.MigrateOperation) -> None:
    """Add a column without its index, which has an operation of its own; as in a rendered script."""
    if isinstance(operation, ops.AddColumnOp):
        copied = operation.column.table.to_metadata(MetaData()).c[operation.column.key]
        copied.index = copied.unique = None
        operation.column = copied


def _operations(connection: Connection, metadata: MetaData) -> Iterator[ops.MigrateOperation]:
    options = _options(Models(metadata), connection)
    context = MigrationContext.configure(connection, opts=options)
    upgrade = produce_migrations(context, metadata).upgrade_ops
    return _flat(upgrade.ops if upgrade else [])


def _options(models: Models, connection: Connection) -> dict[str, Any]:
    """Return options for Alembic that confine it to our tables."""
    default = connection.dialect.default_schema_name
    names = {(None if t.schema == default else t.schema, t.name) for t in models.tables}
    schemas = {schema for schema, _ in names}

    def include_name(name: str | None, kind: str, parents: Any) -> bool:
        if kind == "schema":
            return name in schemas
        return kind != "table" or (parents["schema_name"], name) in names

    def include_object(item: Any, _name: str | None, kind: str, *_more: Any) -> bool:
        return kind != "table" or _is_ours(item)

    def _is_ours(table: Table) -> bool:
        return (None if table.schema == default else table.schema, table.name) in names

    return {
        "autogenerate_plugins": PLUGINS,
        "compare_server_default": True,
        "compare_type": True,
        "include_name": include_name,
        "include_object": include_object,
        "include_schemas": True,
    }


def _flat(operations: list[ops.MigrateOperation]) -> Iterator[ops.MigrateOperation]:
    for operation in operations:
        if isinstance(operation, ops.OpContainer):
            yield from _flat(operation.ops)
        else:
            yield operation


def _differences(operation: Any) -> Iterator[Difference]:  # noqa: C901 - one case an operation
    match operation:
        case ReversibleSQL():
            yield operation.difference
        case OnlineChange():
            yield from operation.differences
        case ops.CreateTableOp():
            yield Difference("missing", "table", operation.table_name)
        case ops.AddColumnOp():
            yield Difference("missing", "column", _column(operation, operation.column.name))
        case ops.DropColumnOp():
            yield Difference("extra", "column", _column(operation, operation.column_name))
        case ops.AlterColumnOp():
            name = _column(operation, operation.column_name)
            yield Difference("different", "column", name, _alteration(operation))
        case ops.CreateIndexOp():
            yield Difference("missing", "index", str(operation.index_name))
        case ops.DropIndexOp():
            yield Difference("extra", "index", str(operation.index_name))
        case ops.CreateForeignKeyOp():
            name = f"{operation.source_table}.{', '.join(operation.local_cols)}"
            yield Difference("missing", "foreign key", name)
        case ops.CreateUniqueConstraintOp() | ops.CreateCheckConstraintOp():
            yield Difference("missing", "constraint", str(operation.constraint_name))
        case ops.DropConstraintOp():
            yield Difference("extra", "constraint", str(operation.constraint_name))
        case _:
            yield Difference("different", "table", str(operation.to_diff_tuple()))


def _column(operation: ops.AlterTableOp, name: str) -> str:
    return f"{operation.table_name}.{name}"


def _alteration(operation: ops.AlterColumnOp) -> str:
    parts = []
    if operation.modify_type is not None:
        parts.append(f"{operation.existing_type} instead of {operation.modify_type}")
    if operation.modify_nullable is not None:
        parts.append("nullable" if operation.existing_nullable else "not nullable")
    if operation.modify_server_default is not False:
        parts.append("another default")
    return ", ".join(parts)
