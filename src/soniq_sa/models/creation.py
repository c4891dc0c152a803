"""What ``create_all`` and ``drop_all`` do beside the tables, on PostgreSQL.

Alembic does not fire these events; there, the plugin does the same.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, event, text

from soniq_sa.errors import ConfigurationError
from soniq_sa.models.roles import Role, options_of
from soniq_sa.models.sql_names import qualified, without_parameters
from soniq_sa.models.wake_trigger import WakeTrigger

VOLATILE_ROLES = frozenset({Role.JOB, Role.ATTEMPT, Role.PROGRESS})
"""What ``durability="volatile"`` concerns: the workers' table is too small to matter."""


def set_logged(name: str, schema: str | None, *, logged: bool) -> str:
    """Return the statement that makes a table survive a crash of the server, or not."""
    return f"ALTER TABLE {qualified(name, schema)} SET {'LOGGED' if logged else 'UNLOGGED'}"


def complete_creation(table: Table, role: Role) -> None:
    """Let the creation of ``table`` bring what SQLAlchemy's ``Table`` cannot say."""
    if role in VOLATILE_ROLES:
        event.listen(table, "after_create", _set_unlogged)
    if role is Role.JOB:
        event.listen(table, "before_create", _check_references)
        event.listen(table, "after_create", _create_trigger)
        event.listen(table, "after_drop", _drop_function)


def refuse_references(table: Table) -> None:
    """Raise `ConfigurationError` if a volatile table is what a durable one refers to."""
    keys = [
        key
        for other in table.metadata.tables.values()
        if other is not table and not _is_unlogged(other)
        for key in other.foreign_keys
        if key.references(table)
    ]
    if keys:
        column = keys[0].parent
        raise ConfigurationError(
            f'durability="volatile" is not possible: {column.table.fullname}.{column.name} is a foreign '
            f"key to {table.fullname}, and PostgreSQL lets no durable table refer to a volatile one. "
            'Drop the foreign key, or use durability="durable".'
        )


def _is_unlogged(table: Table) -> bool:
    prefixes = table._prefixes  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - as Alembic reads it
    return any("UNLOGGED" in str(prefix).upper() for prefix in prefixes)


def _check_references(table: Table, connection: Connection, **_kwargs: Any) -> None:
    if _is_postgresql(connection) and options_of(table.metadata).durability == "volatile":
        refuse_references(table)


def _set_unlogged(table: Table, connection: Connection, **_kwargs: Any) -> None:
    if _is_postgresql(connection) and options_of(table.metadata).durability == "volatile":
        schema = connection.schema_for_object(table)
        _execute(connection, set_logged(table.name, schema, logged=False))


def _create_trigger(table: Table, connection: Connection, **_kwargs: Any) -> None:
    if _wants_trigger(table, connection):
        trigger = _trigger(table, connection)
        _execute(connection, trigger.create_function)
        _execute(connection, trigger.create_trigger)


def _drop_function(table: Table, connection: Connection, **_kwargs: Any) -> None:
    if _wants_trigger(table, connection):
        _execute(connection, _trigger(table, connection).drop_function)


def _wants_trigger(table: Table, connection: Connection) -> bool:
    return _is_postgresql(connection) and options_of(table.metadata).notify == "trigger"


def _trigger(table: Table, connection: Connection) -> WakeTrigger:
    return WakeTrigger.of(table, connection.schema_for_object(table))


def _execute(connection: Connection, sql: str) -> None:
    connection.execute(text(without_parameters(sql)))


def _is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
