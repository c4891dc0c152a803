"""What row-level security keeps from a role, although the role has the privileges.

Rows that no policy lets through are not there for the role: a count is too small, and says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Boolean, Executable, Text, cast, column, func, or_, select, table
from sqlalchemy.dialects.postgresql import OID
from sqlalchemy.sql.elements import ColumnElement

from soniq_sa.statements.rows import rows

_LETTERS: Mapping[str, str] = {"SELECT": "r", "INSERT": "a", "UPDATE": "w", "DELETE": "d"}
"""How policies name what they are for; ``*`` is all of it."""


def withheld(wanted: Iterable[tuple[str, str]]) -> Executable:
    """Return those of the rights that are limited to some rows: on_what, right, and nothing.

    wanted: Tables, as for ``to_regclass``, and rights on them. nothing: Whether it is no row at all,
    because no policy is for this role.
    """
    given = [*wanted]
    rights = rows("wanted", on_tables=Text(), rights=Text(), letters=Text())
    policies = table(
        "pg_policy",
        column("polrelid", OID()),
        column("polcmd"),
        column("polpermissive", Boolean()),
        column("polroles"),
        column("polqual"),
        column("polwithcheck"),
    )
    there = cast(func.to_regclass(rights.c.on_tables), OID)
    role = (
        func.unnest(policies.c.polroles).table_valued(column("id", OID())).render_derived("roles")
    )
    is_for_us = (
        select(role.c.id)
        .where(or_(role.c.id == 0, func.pg_has_role(role.c.id, "USAGE", type_=Boolean())))
        .correlate(policies)
        .exists()
    )
    all_rows = _always(policies.c.polqual, policies) & _always(policies.c.polwithcheck, policies)

    def some_policy(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        return (
            select(policies.c.polrelid)
            .where(
                policies.c.polrelid == there,
                cast(policies.c.polcmd, Text).in_(("*", rights.c.letters)),
                is_for_us,
                *conditions,
            )
            .correlate(rights)
            .exists()
        )

    permissive = policies.c.polpermissive
    free = some_policy(permissive, all_rows) & ~some_policy(~permissive, ~all_rows)
    return (
        select(
            rights.c.on_tables.label("on_what"),
            rights.c.rights.label("right"),
            (~some_policy(permissive)).label("nothing"),
        )
        .where(func.row_security_active(there, type_=Boolean()), ~free)
        .params(
            on_tables=[table for table, _ in given],
            rights=[right for _, right in given],
            letters=[_LETTERS[right] for _, right in given],
        )
    )


def _always(condition: ColumnElement[Any], policies: Any) -> ColumnElement[bool]:
    """Tell whether a condition of a policy is ``true``, or is not there."""
    return func.coalesce(func.pg_get_expr(condition, policies.c.polrelid), "true") == "true"
