"""How the job table is stored: dead rows, vacuum, indexes."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    DateTime,
    Double,
    Executable,
    Text,
    any_,
    column,
    func,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import OID

from soniq_sa.models.roles import Models
from soniq_sa.statements.rows import array
from soniq_sa.statements.schema import table_name

_TIME = DateTime(timezone=True)


def table_health(models: Models) -> Executable:
    """Return live and dead rows of the job table, when it was vacuumed and analyzed, its options."""
    statistics = table(
        "pg_stat_user_tables",
        column("relid", OID()),
        column("n_live_tup"),
        column("n_dead_tup"),
        column("last_vacuum", _TIME),
        column("last_autovacuum", _TIME),
        column("last_analyze", _TIME),
        column("last_autoanalyze", _TIME),
    )
    classes = table("pg_class", column("oid", OID()), column("reloptions"))
    columns = statistics.c
    return (
        select(
            columns.n_live_tup.label("live"),
            columns.n_dead_tup.label("dead"),
            func.greatest(columns.last_vacuum, columns.last_autovacuum).label("vacuumed_at"),
            func.greatest(columns.last_analyze, columns.last_autoanalyze).label("analyzed_at"),
            func.coalesce(func.array_to_string(classes.c.reloptions, " "), "").label("options"),
        )
        .join_from(statistics, classes, classes.c.oid == columns.relid)
        .where(columns.relid == func.to_regclass(table_name(models.jobs)))
    )


def indexes(models: Models) -> Executable:
    """Return the indexes of our tables: name, valid, bytes, and entries (negative: not known)."""
    classes = table(
        "pg_class",
        column("oid", OID()),
        column("relname", Text()),
        column("relnamespace", OID()),
        column("reltuples", Double()),
    )
    schemas = table("pg_namespace", column("oid", OID()), column("nspname", Text()))
    found = table(
        "pg_index",
        column("indexrelid", OID()),
        column("indrelid", OID()),
        column("indisvalid", Boolean()),
        column("indisready", Boolean()),
    )
    tables = array("our_tables", Text())
    ours = func.unnest(tables).table_valued("name").render_derived(name="ours")
    ids = func.array(select(func.to_regclass(ours.c.name).cast(OID)).scalar_subquery())
    return (
        select(
            func.format("%I.%I", schemas.c.nspname, classes.c.relname).label("name"),
            (found.c.indisvalid & found.c.indisready).label("valid"),
            func.pg_relation_size(classes.c.oid).label("bytes"),
            classes.c.reltuples.label("entries"),
        )
        .join_from(found, classes, classes.c.oid == found.c.indexrelid)
        .join(schemas, schemas.c.oid == classes.c.relnamespace)
        .where(found.c.indrelid == any_(ids))
        .order_by(classes.c.relname)
        .params(our_tables=[table_name(one) for one in models.tables])
    )
