"""Operations that autogenerate writes into a migration; what is written is Alembic's own alone.

    ReversibleSQL     op.execute(...); the downgrade executes the opposite
    OnlineChange      indexes and checks of a table that is in use, in an autocommit block

An index is built concurrently. A check is added unchecked, and validated in a statement of its own,
which does not lock writers out. Each step can be repeated, so a migration that was stopped halfway, or
whose lock was not granted in time, is simply run again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import Operations, ops

from soniq_sa.alembic.differences import Difference, Kind
from soniq_sa.models.sql_names import qualified, quoted, without_parameters

_COMMENT = (
    "# Workers go on meanwhile: nothing here holds a lock for long.",
    "# What stands above is committed first; if this stops halfway, run it again.",
)
_CREATE = re.compile(r"(CREATE (?:UNIQUE )?INDEX )(\S+) ON \S+ ")


class ReversibleSQL(ops.ExecuteSQLOp):
    """Execute a statement, and another one to take it back."""

    def __init__(self, sql: str, opposite: str, difference: Difference) -> None:
        super().__init__(without_parameters(sql))
        self.sql = sql
        self.opposite = opposite
        self.difference = difference

    def reverse(self) -> ReversibleSQL:
        """Return the operation that takes this one back."""
        return ReversibleSQL(self.opposite, self.sql, self.difference)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return what ``alembic check`` shows."""
        return ("soniq_sa", str(self.difference))


@dataclass(frozen=True, slots=True)
class OnlineItem:
    """An index or a check: the statements that make it while workers run, and the one that drops it.

    What is made may be there already, whole or half, from a run that was stopped. ``replace`` makes it
    anew where another one has its name.
    """

    kind: Literal["index", "check"]
    name: str
    drop: str
    make: tuple[str, ...]
    replace: tuple[str, ...]


def online_index(name: str, table: str, schema: str | None, definition: str) -> OnlineItem:
    """Return an index; ``definition`` is a ``CREATE INDEX`` in any of its forms."""
    full = qualified(name, schema)
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {full}"
    place = qualified(table, schema)
    build = _CREATE.sub(rf"\1CONCURRENTLY IF NOT EXISTS \2 ON {place} ", definition, count=1)
    literal = full.replace("'", "''")
    drop_half = (
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_index WHERE NOT indisvalid AND "
        f"indexrelid = pg_catalog.to_regclass('{literal}')) THEN DROP INDEX {full}; END IF; END $$"
    )
    return OnlineItem("index", name, drop, make=(drop_half, build), replace=(drop, build))


def online_check(name: str, table: str, schema: str | None, condition: str) -> OnlineItem:
    """Return a check."""
    quoted_name = quoted(name)
    drop = f"DROP CONSTRAINT IF EXISTS {quoted_name}"
    add = f"{drop}, ADD CONSTRAINT {quoted_name} CHECK ({condition}) NOT VALID"
    make = (
        alter_table(table, schema, add),
        alter_table(table, schema, f"VALIDATE CONSTRAINT {quoted_name}"),
    )
    return OnlineItem("check", name, alter_table(table, schema, drop), make=make, replace=make)


class OnlineChange(ops.MigrateOperation):
    """Make and drop indexes and checks of one table, without keeping its users out."""

    def __init__(self, made: Sequence[OnlineItem], dropped: Sequence[OnlineItem]) -> None:
        self.made = made
        self.dropped = dropped

    def steps(self) -> Iterator[str]:
        """Return the statements: first for all that is new, then for what it replaces."""
        old = {item.name for item in self.dropped}
        for item in self.made:
            yield from map(without_parameters, item.replace if item.name in old else item.make)
        names = {item.name for item in self.made}
        for item in self.dropped:
            if item.name not in names:
                yield without_parameters(item.drop)

    @property
    def differences(self) -> Iterator[Difference]:
        """Return what is missing, different, or too much."""
        old = {item.name for item in self.dropped}
        new = {item.name for item in self.made}
        for item in self.made:
            kind: Kind = "different" if item.name in old else "missing"
            yield Difference(kind, item.kind, item.name)
        for item in self.dropped:
            if item.name not in new:
                yield Difference("extra", item.kind, item.name)

    def reverse(self) -> OnlineChange:
        """Return the operation that takes this one back."""
        return OnlineChange(self.dropped, self.made)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return what ``alembic check`` shows."""
        return ("soniq_sa", *map(str, self.differences))


@renderers.dispatch_for(ReversibleSQL)
def _render_sql(_context: AutogenContext, op: ReversibleSQL) -> list[str]:
    lines = str(op.sqltext).strip().splitlines(keepends=True)
    if len(lines) == 1:
        return [f"op.execute({lines[0]!r})"]
    return ["op.execute(", *(f"    {line!r}" for line in lines), ")"]


@renderers.dispatch_for(OnlineChange)
def _render_change(_context: AutogenContext, op: OnlineChange) -> list[str]:
    steps = [f"op.execute({step!r})" for step in op.steps()]
    return [*_COMMENT, "with op.get_context().autocommit_block():", *steps, ""]


@Operations.implementation_for(OnlineChange)
def _run_change(operations: Operations, op: OnlineChange) -> None:
    with operations.get_context().autocommit_block():
        for step in op.steps():
            operations.execute(step)


def alter_table(name: str, schema: str | None, action: str) -> str:
    """Return a statement that alters a table."""
    return f"ALTER TABLE {qualified(name, schema)} {action}"
