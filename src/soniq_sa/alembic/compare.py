"""Compares our tables with the database, where Alembic itself does not look.

Alembic has made its operations when this runs. What it cannot see is added: storage parameters,
durability, the trigger, changed conditions of checks and indexes. What it has seen is made harmless
for the workers: on a table that is there, indexes and checks are changed online, and that comes first,
with the columns they may need, so that nothing of the user's stands half done if it has to be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.util import PriorityDispatchResult
from sqlalchemy import Connection, MetaData, Table

from soniq_sa.alembic.conditions import online_change
from soniq_sa.alembic.differences import Difference
from soniq_sa.alembic.live import LiveTable, read_table
from soniq_sa.alembic.operations import ReversibleSQL, alter_table
from soniq_sa.alembic.triggers import compare_triggers
from soniq_sa.models.creation import VOLATILE_ROLES, refuse_references, set_logged
from soniq_sa.models.roles import Role, options_of, registered
from soniq_sa.models.storage import changed_storage, owns_storage, storage_of, storage_text


@dataclass(frozen=True)
class ComparedTable:
    """One of our tables that this run of autogenerate is about."""

    role: Role
    model: type[Any]
    table: Table
    schema: str | None
    """The schema as Alembic calls it: None for the default one."""
    live: LiveTable | None

    @property
    def name(self) -> str:
        """Return the name of the table."""
        return self.table.name

    @property
    def volatile(self) -> bool:
        """Tell whether the table shall be unlogged."""
        return self.role in VOLATILE_ROLES and (
            options_of(self.table.metadata).durability == "volatile"
        )


def compare(
    context: AutogenContext, upgrade_ops: ops.UpgradeOps, schemas: set[str | None]
) -> PriorityDispatchResult:
    """Complete the operations that Alembic has made; the signature of a ``schema`` comparison."""
    connection = context.connection
    assert connection is not None  # noqa: S101 - autogenerate needs a database
    compared = list(_compared_tables(context, connection, schemas))
    for one in compared:
        if one.volatile and one.role is Role.JOB:
            refuse_references(one.table)
        if one.live is None:
            _complete_creation(one, upgrade_ops)
        else:
            upgrade_ops.ops.extend(_storage_changes(one, one.live))
    jobs = {(one.schema, one.name): one.table for one in compared if one.role is Role.JOB}
    compare_triggers(connection, upgrade_ops, jobs, schemas)
    upgrade_ops.ops[:0] = [
        operation
        for one in compared
        if one.live
        for operation in _online(one, one.live, upgrade_ops)
    ]
    return PriorityDispatchResult.CONTINUE


def _compared_tables(
    context: AutogenContext, connection: Connection, schemas: set[str | None]
) -> Iterator[ComparedTable]:
    default = connection.dialect.default_schema_name
    for metadata in _metadatas(context.metadata):
        for role, model in registered(metadata).items():
            table = model.__table__
            schema = None if table.schema == default else table.schema
            if schema in schemas and _wanted(context, table, schema):
                live = read_table(connection, schema, table.name)
                yield ComparedTable(role, model, table, schema, live)


def _metadatas(target: Any) -> Iterable[MetaData]:
    return [target] if isinstance(target, MetaData) else target or []


def _wanted(context: AutogenContext, table: Table, schema: str | None) -> bool:
    """Ask the filters of ``env.py``."""
    by_name = context.run_name_filters(table.name, "table", {"schema_name": schema})
    return by_name and context.run_object_filters(table, table.name, "table", False, None)  # noqa: FBT003


def _complete_creation(one: ComparedTable, upgrade_ops: ops.UpgradeOps) -> None:
    if not one.volatile:
        return
    for operation in upgrade_ops.ops:
        if isinstance(operation, ops.CreateTableOp) and _is_about(operation, one):
            operation.prefixes = ["UNLOGGED"]


def _is_about(operation: ops.CreateTableOp | ops.ModifyTableOps, one: ComparedTable) -> bool:
    return operation.table_name == one.name and operation.schema in {one.schema, one.table.schema}


def _storage_changes(one: ComparedTable, live: LiveTable) -> Iterator[ReversibleSQL]:
    if live.volatile is not one.volatile:
        yield ReversibleSQL(
            set_logged(one.name, one.schema, logged=not one.volatile),
            set_logged(one.name, one.schema, logged=not live.volatile),
            Difference(
                "different",
                "durability",
                one.name,
                f"{_durability(live.volatile)} instead of {_durability(one.volatile)}",
            ),
        )
    options = options_of(one.table.metadata)
    if owns_storage(one.table, one.role, options):
        yield from _parameter_changes(one, live, storage_of(one.role, options))


def _durability(volatile: bool) -> str:  # noqa: FBT001
    return "volatile" if volatile else "durable"


def _parameter_changes(
    one: ComparedTable, live: LiveTable, wanted: dict[str, Any]
) -> Iterator[ReversibleSQL]:
    to_set, to_reset = changed_storage(wanted, live.storage)
    before = dict(pair.split("=", 1) for pair in live.storage)
    if not to_set and not to_reset:
        return
    new = [name for name in to_set if name not in before]
    old = {name: before[name] for name in [*to_set, *to_reset] if name in before}
    forth = [f"SET ({storage_text(to_set)})"] if to_set else []
    forth += [f"RESET ({', '.join(to_reset)})"] if to_reset else []
    back = [f"SET ({', '.join(f'{name} = {value}' for name, value in old.items())})"] if old else []
    back += [f"RESET ({', '.join(new)})"] if new else []
    found = ", ".join(f"{name} = {before.get(name, 'unset')}" for name in [*to_set, *to_reset])
    asked = ", ".join(
        [storage_text(to_set)] * bool(to_set) + [f"{name} = unset" for name in to_reset]
    )
    detail = f"{found} instead of {asked}"
    yield ReversibleSQL(
        alter_table(one.name, one.schema, ", ".join(forth)),
        alter_table(one.name, one.schema, ", ".join(back)),
        Difference("different", "storage", one.name, detail),
    )


def _online(
    one: ComparedTable, live: LiveTable, upgrade_ops: ops.UpgradeOps
) -> list[ops.MigrateOperation]:
    """Take the index and check operations of a table out of Alembic's, and return them as our own."""
    stock = [
        operation
        for operation in upgrade_ops.ops
        if isinstance(operation, ops.ModifyTableOps) and _is_about(operation, one)
    ]
    change = online_change(one.table, live, stock)
    if change is None:
        return []
    columns = _library_columns(one, stock)
    first = [ops.ModifyTableOps(one.name, columns, schema=one.schema)] if columns else []
    return [*first, change]


def _library_columns(
    one: ComparedTable, stock: list[ops.ModifyTableOps]
) -> list[ops.MigrateOperation]:
    """Take out the operations that add columns of ours, which can then be repeated."""
    names = one.model.soniq_columns().keys()
    found: list[ops.MigrateOperation] = []
    for table_ops in stock:
        for operation in list(table_ops.ops):
            if isinstance(operation, ops.AddColumnOp) and operation.column.key in names:
                table_ops.ops.remove(operation)
                operation.if_not_exists = True
                found.append(operation)
    return found
