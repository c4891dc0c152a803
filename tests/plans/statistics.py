"""What PostgreSQL believes of the tables: nothing, the truth, or what was true at another time.

To analyze a large table at a time when it held something else would take a table for each such time. A
small table is filled and analyzed instead, and its statistics are copied to the large one, with the
number of its rows and pages: that is what the large one would have if it had grown since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg

from soniq_sa.states import JobState
from tests.plans.filling import MODELS, create_tables, fill, run

TRUE = "as they are"
NEVER = "never analyzed"

EMPTY = "analyzed when empty"
NOT_KNOWN = (NEVER, EMPTY)

OTHER_TIMES: Mapping[str, Mapping[JobState, int]] = {
    EMPTY: {},
    "analyzed with three jobs": {JobState.QUEUED: 3},
    "analyzed when all waited": {JobState.QUEUED: 20_000},
    "analyzed when all were scheduled": {JobState.SCHEDULED: 20_000},
    "analyzed when all ran": {JobState.PROCESSING: 20_000},
    "analyzed when all were done": {JobState.DONE: 20_000},
    "analyzed when all were dead": {JobState.DEAD: 20_000},
}
ALL = (TRUE, NEVER, *OTHER_TIMES)


def prepare(url: str, connection: psycopg.Connection) -> None:
    """Make and analyze the small tables, and analyze the large ones."""
    for name, rows in OTHER_TIMES.items():
        run(connection, f"CREATE SCHEMA {_schema(name)}")
        create_tables(url, _schema(name))
        for state, count in rows.items():
            fill(connection, state, count, _schema(name))
        for table in MODELS.tables:
            run(connection, f"VACUUM ANALYZE {_schema(name)}.{table.name}")
    for table in MODELS.tables:
        run(connection, f"VACUUM ANALYZE {table.name}")


@contextmanager
def believed(connection: psycopg.Connection, name: str) -> Iterator[None]:
    """Have PostgreSQL believe it, inside a transaction that is rolled back."""
    with connection.transaction(force_rollback=True):
        if name != TRUE:
            _forget(connection)
        if name in OTHER_TIMES:
            _copy(connection, _schema(name))
        yield


def _forget(connection: psycopg.Connection) -> None:
    run(
        connection,
        f"DELETE FROM pg_statistic WHERE starelid IN ({_ours('public')});"  # noqa: S608
        f"UPDATE pg_class SET reltuples = -1, relpages = 0, relallvisible = 0"
        f" WHERE oid IN ({_ours('public')})",
    )


def _copy(connection: psycopg.Connection, schema: str) -> None:
    columns = [
        name
        for (name,) in connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'pg_statistic'::regclass"
            " AND attnum > 1 AND NOT attisdropped ORDER BY attnum"
        )
    ]
    twins = (
        "FROM pg_class AS theirs JOIN pg_class AS mine USING (relname)"
        f" WHERE theirs.relnamespace = '{schema}'::regnamespace"
        " AND mine.relnamespace = 'public'::regnamespace"
    )
    run(
        connection,
        f"INSERT INTO pg_statistic (starelid, {', '.join(columns)})"  # noqa: S608
        f" SELECT twin.mine, {', '.join(columns)} FROM pg_statistic JOIN"
        f" (SELECT theirs.oid AS theirs, mine.oid AS mine {twins}) AS twin ON starelid = twin.theirs;"
        "UPDATE pg_class SET reltuples = twin.reltuples, relpages = twin.relpages,"
        " relallvisible = twin.relallvisible"
        f" FROM (SELECT theirs.*, mine.oid AS mine {twins}) AS twin WHERE pg_class.oid = twin.mine",
    )


def _ours(schema: str) -> str:
    """Return a query for the tables of ``schema`` and their indexes."""
    return (
        "SELECT oid FROM pg_class WHERE relkind IN ('r', 'i')"  # noqa: S608
        f" AND relnamespace = '{schema}'::regnamespace"
    )


def _schema(name: str) -> str:
    return name.replace(" ", "_")
