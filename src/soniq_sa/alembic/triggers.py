"""The trigger that wakes workers, its function, and the order in which all goes when it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from alembic.operations import ops
from sqlalchemy import Connection, Table

from soniq_sa.alembic.differences import Difference
from soniq_sa.alembic.live import LiveFunction, read_functions, read_our_tables, read_table
from soniq_sa.alembic.operations import ReversibleSQL
from soniq_sa.alembic.sql_text import same_body
from soniq_sa.models.roles import options_of
from soniq_sa.models.wake_trigger import WakeTrigger

Key = tuple[str | None, str]
"""Schema and name; the schema as Alembic calls it, None for the default one."""


def compare_triggers(
    connection: Connection,
    upgrade_ops: ops.UpgradeOps,
    jobs: Mapping[Key, Table],
    schemas: AbstractSet[str | None],
) -> None:
    """Make, change and drop the triggers of the job tables in ``jobs``, and of those that go."""
    default = connection.dialect.default_schema_name
    wanted = {
        (schema, f"{table.name}_wake"): WakeTrigger.of(table, table.schema)
        for (schema, _), table in jobs.items()
        if options_of(table.metadata).notify == "trigger"
    }
    live = {
        (_called(one.schema, default), one.name): one for one in read_functions(connection, schemas)
    }
    for key, trigger in wanted.items():
        upgrade_ops.ops.extend(_made(trigger, live.get(key)))
    going = _put_drops_last(connection, upgrade_ops, read_our_tables(connection, schemas))
    leaving = [
        operation
        for key, function in live.items()
        if key not in wanted
        and (not function.has_trigger or (key[0], function.table) in {*jobs, *going})
        for operation in _dropped(function, default)
    ]
    position = len(upgrade_ops.ops) - len(going)
    upgrade_ops.ops[position:position] = leaving


def _put_drops_last(
    connection: Connection, upgrade_ops: ops.UpgradeOps, known: AbstractSet[Key]
) -> set[Key]:
    """Drop our tables behind the foreign keys and tables of the user that refer to them."""
    drops = [
        operation
        for operation in upgrade_ops.ops
        if isinstance(operation, ops.DropTableOp)
        and (operation.schema, operation.table_name) in known
    ]
    for operation in drops:
        upgrade_ops.ops.remove(operation)
        _keep_storage(connection, operation)
    upgrade_ops.ops.extend(drops)
    return {(operation.schema, operation.table_name) for operation in drops}


def _keep_storage(connection: Connection, operation: ops.DropTableOp) -> None:
    """Let the downgrade make the table as it is; SQLAlchemy 2.0 reflects no storage parameters."""
    live = read_table(connection, operation.schema, operation.table_name)
    operation.table_kw.pop("postgresql_with", None)
    if live is not None and live.storage:
        parameters = ", ".join(pair.replace("=", " = ", 1) for pair in live.storage)
        operation.table_kw["postgresql_using"] = f"heap WITH ({parameters})"
    if live is not None and live.volatile:
        operation.prefixes = ["UNLOGGED"]


def _made(trigger: WakeTrigger, live: LiveFunction | None) -> Iterator[ReversibleSQL]:
    if live is None:
        missing = Difference("missing", "function", trigger.name)
        yield ReversibleSQL(trigger.create_function, trigger.drop_function, missing)
    elif not same_body(trigger.body, live.body):
        other = Difference("different", "function", trigger.name)
        before = replace(trigger, body=live.body)
        yield ReversibleSQL(trigger.create_function, before.create_function, other)
    if live is None or not live.has_trigger:
        missing = Difference("missing", "trigger", trigger.name)
        yield ReversibleSQL(trigger.create_trigger, trigger.drop_trigger, missing)


def _dropped(function: LiveFunction, default: str | None) -> Iterator[ReversibleSQL]:
    table = function.table or function.name.removesuffix("_wake")
    trigger = WakeTrigger(_called(function.schema, default), table, function.body)
    if function.has_trigger:
        extra = Difference("extra", "trigger", trigger.name)
        yield ReversibleSQL(trigger.drop_trigger, trigger.create_trigger, extra)
    extra = Difference("extra", "function", trigger.name)
    yield ReversibleSQL(trigger.drop_function, trigger.create_function, extra)


def _called(schema: str | None, default: str | None) -> str | None:
    return None if schema == default else schema
