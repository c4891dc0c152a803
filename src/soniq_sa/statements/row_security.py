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
_POLICIES = table(
    "pg_policy",
    column("polrelid", OID()),
    column("polcmd"),
    column("polpermissive", Boolean()),
    column("polroles"),
    column("polqual"),
    column("polwithcheck"),
)


def withheld(wanted: Iterable[tuple[str, str]]) -> Executable:
    """Return those of the rights that are limited to some rows: on_what, right, and nothing.

    wanted: Tables, as for ``to_regclass``, and rights on them. nothing: Whether it is no row at all,
    because no policy is for this role.
    """
    given = [*wanted]
    rights = rows("wanted", on_tables=Text(), rights=Text(), letters=Text())
    there = cast(func.to_regclass(rights.c.on_tables), OID)
    permissive = _POLICIES.c.polpermissive

    def some_policy(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        return (
            select(_POLICIES.c.polrelid)
            .where(
                _POLICIES.c.polrelid == there,
                cast(_POLICIES.c.polcmd, Text).in_(("*", rights.c.letters)),
                _is_for_us(),
                *conditions,
            )
            .correlate(rights)
            .exists()
        )

    free = some_policy(permissive, _all_rows()) & ~some_policy(~permissive, ~_all_rows())
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


def _is_for_us() -> ColumnElement[bool]:
    """Tell whether a policy is for everybody, or for a role that this one has."""
    role = (
        func.unnest(_POLICIES.c.polroles).table_valued(column("id", OID())).render_derived("roles")
    )
    ours = or_(role.c.id == 0, func.pg_has_role(role.c.id, "USAGE", type_=Boolean()))
    return select(role.c.id).where(ours).correlate(_POLICIES).exists()


def _all_rows() -> ColumnElement[bool]:
    """Tell whether a policy lets every row through: its conditions are ``true``, or are not there."""

    def always(condition: ColumnElement[Any]) -> ColumnElement[bool]:
        return func.coalesce(func.pg_get_expr(condition, _POLICIES.c.polrelid), "true") == "true"

    return always(_POLICIES.c.polqual) & always(_POLICIES.c.polwithcheck)
