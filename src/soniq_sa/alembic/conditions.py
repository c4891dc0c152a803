"""The indexes and checks of ours on a table that is there.

Their names end in a version, so a new condition comes with a new name. What has kept its name is
compared as well: someone may have changed it by hand, or a concurrent build may have failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from alembic.operations import ops
from sqlalchemy import CheckConstraint, Index, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from soniq_sa.alembic.live import LiveObject, LiveTable
from soniq_sa.alembic.operations import OnlineChange, OnlineItem, online_check, online_index
from soniq_sa.alembic.sql_text import same_expression

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
_Wanted = Mapping[str, tuple[OnlineItem, str | None]]
"""By name: how to make it, and its condition."""


def online_change(
    table: Table, live: LiveTable, stock: Iterable[ops.ModifyTableOps]
) -> OnlineChange | None:
    """Return what has to be made and dropped, or None; it replaces operations in ``stock``."""
    ours = re.compile(rf"(ck|ix|uq)_{re.escape(table.name)}_\w+_\d+")
    redefined = _take_over(ours, stock)
    wanted: _Wanted = {
        name: found
        for name, found in (_wanted_checks(table) | _wanted_indexes(table)).items()
        if ours.fullmatch(name)
    }
    present = {
        name: one for name, one in (live.checks | live.indexes).items() if ours.fullmatch(name)
    }
    made = [
        item
        for name, (item, condition) in wanted.items()
        if name in redefined or not _is(condition, present.get(name))
    ]
    remade = {item.name for item in made}
    dropped = [
        _item(table, one) for name, one in present.items() if name in remade or name not in wanted
    ]
    return OnlineChange(made, dropped) if made or dropped else None


def _take_over(ours: re.Pattern[str], stock: Iterable[ops.ModifyTableOps]) -> set[str]:
    """Take Alembic's operations on what is ours out; return the indexes that it defines anew."""
    dropped, created = set[str](), set[str]()
    for table_ops in stock:
        for operation in list(table_ops.ops):
            name = _name_of(operation)
            if not ours.fullmatch(name):
                continue
            table_ops.ops.remove(operation)
            if isinstance(operation, ops.DropIndexOp):
                dropped.add(name)
            elif isinstance(operation, ops.CreateIndexOp):
                created.add(name)
    return dropped & created


def _name_of(operation: ops.MigrateOperation) -> str:
    """Return the name of the index or check that an operation makes or drops."""
    match operation:
        case ops.CreateIndexOp() | ops.DropIndexOp():
            return str(operation.index_name)
        case ops.CreateCheckConstraintOp() | ops.DropConstraintOp():
            return str(operation.constraint_name)
        case _:
            return ""


def _wanted_indexes(table: Table) -> dict[str, tuple[OnlineItem, str | None]]:
    return {
        str(index.name): (_item_of_index(table, index), _predicate(index))
        for index in sorted(table.indexes, key=lambda one: str(one.name))
    }


def _item_of_index(table: Table, index: Index) -> OnlineItem:
    definition = str(CreateIndex(index).compile(dialect=_DIALECT))
    return online_index(str(index.name), table.name, table.schema, definition)


def _predicate(index: Index) -> str | None:
    where: Any = index.dialect_options["postgresql"]["where"]
    if where is None:
        return None
    return str(where.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))


def _wanted_checks(table: Table) -> dict[str, tuple[OnlineItem, str | None]]:
    found: dict[str, tuple[OnlineItem, str | None]] = {}
    for check in table.constraints:
        if isinstance(check, CheckConstraint) and check.name is not None:
            condition = str(check.sqltext)
            name = str(check.name)
            found[name] = (online_check(name, table.name, table.schema, condition), condition)
    return found


def _is(condition: str | None, present: LiveObject | None) -> bool:
    """Tell whether what is there is whole, and has this condition."""
    if present is None or not present.valid:
        return False
    return same_expression(condition or "", present.condition or "")


def _item(table: Table, one: LiveObject) -> OnlineItem:
    make = online_index if one.kind == "index" else online_check
    return make(one.name, table.name, table.schema, one.definition)
