"""The server, its settings, and what this role may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    Boolean,
    Double,
    Executable,
    Integer,
    Text,
    case,
    cast,
    column,
    false,
    func,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import OID
from sqlalchemy.sql.elements import ColumnElement

from soniq_sa.statements.rows import rows


def server_settings(*names: str) -> Executable:
    """Return name, setting, unit and source of these settings; those that do not exist are left out."""
    settings = table(
        "pg_settings",
        column("name", Text()),
        column("setting", Text()),
        column("unit", Text()),
        column("source", Text()),
    )
    return select(settings).where(settings.c.name.in_(names))


def backend() -> Executable:
    """Return the process id of the backend that answers."""
    return select(func.pg_backend_pid().label("pid"))


def server_mode() -> Executable:
    """Return whether the server is a standby, and whether transactions may only read."""
    return select(
        func.pg_is_in_recovery(type_=Boolean()).label("standby"),
        func.current_setting("default_transaction_read_only").label("read_only"),
    )


def connections() -> Executable:
    """Return limit and number of connections: of the server, of this database, of this role.

    A limit of -1 is none.
    """
    activity = table(
        "pg_stat_activity",
        column("datname", Text()),
        column("usename", Text()),
        column("backend_type", Text()),
    )
    database = table("pg_database", column("datname", Text()), column("datconnlimit", Integer()))
    role = table("pg_roles", column("rolname", Text()), column("rolconnlimit", Integer()))
    here = activity.c.datname == func.current_database()
    mine = activity.c.usename == func.current_user()
    clients = (
        select(
            func.count().label("server"),
            func.count().filter(here).label("database"),
            func.count().filter(mine).label("role"),
        )
        # A session of a role whose rights are not ours shows its database, and no type.
        .where(
            activity.c.datname.is_not(None),
            func.coalesce(activity.c.backend_type, "client backend") == "client backend",
        )
        .subquery("clients")
    )
    of_database = select(database.c.datconnlimit).where(
        database.c.datname == func.current_database()
    )
    of_role = select(role.c.rolconnlimit).where(role.c.rolname == func.current_user())
    reserved = _number("superuser_reserved_connections") + _number("reserved_connections")
    return select(
        (_number("max_connections") - reserved).label("server_limit"),
        clients.c.server,
        of_database.scalar_subquery().label("database_limit"),
        clients.c.database,
        of_role.scalar_subquery().label("role_limit"),
        clients.c.role,
    )


def _number(name: str) -> ColumnElement[Any]:
    """Return a setting as a number; 0 where the server does not know it."""
    return func.coalesce(cast(func.current_setting(name, true()), Integer), 0)


def missing_rights(wanted: Iterable[tuple[str, str, str | None]]) -> Executable:
    """Return those of the rights that this role lacks: on_what, right, on_column (NULL: on all).

    wanted: Tables, as for ``to_regclass``; rights on them; and columns, if that is enough.
    """
    given = [*wanted]
    rights = rows("wanted", on_tables=Text(), rights=Text(), on_columns=Text())
    there = cast(func.to_regclass(rights.c.on_tables), OID)
    has = case(
        (rights.c.on_columns.is_(None), func.has_table_privilege(there, rights.c.rights)),
        else_=func.has_column_privilege(there, rights.c.on_columns, rights.c.rights),
    )
    return (
        select(
            rights.c.on_tables.label("on_what"),
            rights.c.rights.label("right"),
            rights.c.on_columns.label("on_column"),
        )
        .where(has.is_(false()))
        .params(
            on_tables=[table for table, _, _ in given],
            rights=[right for _, right, _ in given],
            on_columns=[column for _, _, column in given],
        )
    )


def holders() -> Executable:
    """Return the oldest transaction of this database that keeps VACUUM from removing rows.

    A plain VACUUM holds back no other, however long it takes.

    pid (NULL: there is none), name, state, age (seconds), and hidden: how many sessions cannot be seen.
    """
    activity = table(
        "pg_stat_activity",
        column("pid", Integer()),
        column("datname", Text()),
        column("application_name", Text()),
        column("state", Text()),
        column("query", Text()),
        column("xact_start"),
        column("backend_xid"),
        column("backend_xmin"),
        column("backend_type", Text()),
    )
    sessions = activity.c
    here = sessions.datname == func.current_database()
    vacuums = table("pg_stat_progress_vacuum", column("pid", Integer()))
    oldest = (
        select(
            sessions.pid,
            func.coalesce(sessions.application_name, "").label("name"),
            func.coalesce(sessions.state, sessions.backend_type).label("state"),
            _age(sessions.xact_start).label("age"),
        )
        .where(
            here,
            sessions.pid != func.pg_backend_pid(),
            sessions.pid.not_in(select(vacuums.c.pid)),
            sessions.backend_xid.is_not(None) | sessions.backend_xmin.is_not(None),
            sessions.xact_start.is_not(None),
        )
        .order_by(sessions.xact_start)
        .limit(1)
        .subquery("oldest")
    )
    unseen = here & (sessions.query == "<insufficient privilege>")
    hidden = select(func.count().label("hidden")).where(unseen).subquery("hidden")
    return select(*oldest.c, hidden.c.hidden).select_from(hidden.outerjoin(oldest, true()))


def prepared_transactions() -> Executable:
    """Return the prepared transactions of this database, the oldest first: gid, owner, age (seconds)."""
    prepared = table(
        "pg_prepared_xacts",
        column("gid", Text()),
        column("owner", Text()),
        column("database", Text()),
        column("prepared"),
    )
    return (
        select(prepared.c.gid, prepared.c.owner, _age(prepared.c.prepared).label("age"))
        .where(prepared.c.database == func.current_database())
        .order_by(prepared.c.prepared)
    )


def idle_slots() -> Executable:
    """Return the replication slots that nobody reads: name, and whether they hold back VACUUM."""
    slots = table(
        "pg_replication_slots",
        column("slot_name", Text()),
        column("active", Boolean()),
        column("xmin"),
        column("catalog_xmin"),
    )
    holds = slots.c.xmin.is_not(None) | slots.c.catalog_xmin.is_not(None)
    return (
        select(slots.c.slot_name.label("name"), holds.label("holds"))
        .where(slots.c.active.is_(false()))
        .order_by(slots.c.slot_name)
    )


def _age(moment: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(func.extract("epoch", func.clock_timestamp() - moment), Double)
