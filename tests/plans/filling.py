"""Job tables with many rows in every state, made fast: the rows first, the indexes after them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
from sqlalchemy import Table
from sqlalchemy.orm import DeclarativeBase

from soniq_sa.engines import make_sync_engine
from soniq_sa.models import include_tables
from soniq_sa.models.roles import Models
from soniq_sa.states import JobState


class Base(DeclarativeBase):
    """Unlogged tables, which PostgreSQL plans for as for others; only a test analyzes them."""


include_tables(Base.metadata, durability="volatile", storage={"autovacuum_enabled": False})
MODELS = Models(Base.metadata)

WORKER_ID = "00000000-0000-7000-8000-00000000000a"
"""Runs a hundredth of all that runs. Each other worker has as many."""
DEAD_WORKER_ID = "00000000-0000-7000-8000-00000000000b"

_WORKERS = f"""
    INSERT INTO soniq_workers (id, name, lock_key, expires_at) VALUES
        ('{WORKER_ID}', 'here', 1, now() + interval '1 day'),
        ('{DEAD_WORKER_ID}', 'gone', 2, now() - interval '1 hour'),
        ('00000000-0000-7000-8000-00000000000c', 'there', 3, now() + interval '1 day')
"""  # noqa: S608
_OWNER = (
    "CASE number % 100 WHEN 0 THEN '{0}' ELSE lpad(to_hex(number % 100 + 10), 32, '0') END::uuid"
)
_NOT_CLAIMED = {"worker_id": "NULL", "claimed_at": "NULL", "finished_at": "NULL", "claims": "0"}
_CLAIMED = {"worker_id": _OWNER.format(WORKER_ID), "claimed_at": "now()", "claims": "1"}
_ENDED = {**_CLAIMED, "finished_at": "now() - number * interval '1 second'", "attempts": "1"}
_KEEP_UNTIL = "now() + (number - 500) * interval '1 second'"

ROWS: Mapping[JobState, Mapping[str, str]] = {
    JobState.QUEUED: {
        **_NOT_CLAIMED,
        "queue": "CASE number % 10 WHEN 0 THEN 'mail' ELSE 'default' END",
        "crashes": "CASE number % 1000 WHEN 0 THEN 2 ELSE 0 END",
    },
    JobState.SCHEDULED: {
        **_NOT_CLAIMED,
        "run_at": "now() + (number - 1000) * interval '1 second'",
    },
    JobState.PROCESSING: {**_CLAIMED, "finished_at": "NULL"},
    JobState.DONE: {**_ENDED, "keep_until": _KEEP_UNTIL},
    JobState.CANCELLED: {**_ENDED, "keep_until": _KEEP_UNTIL},
    JobState.DEAD: {**_ENDED, "reason": "'retries exhausted'", "attempts": "4"},
}
"""The columns of the rows in each state, as SQL of their ``number``; for others see `_row`."""


def create_tables(url: str, schema: str | None = None) -> None:
    """Create the tables, in ``schema`` if there is one."""
    engine = make_sync_engine(url).execution_options(schema_translate_map={None: schema})
    Base.metadata.create_all(engine)
    engine.dispose()


def fill_all(connection: psycopg.Connection, rows: int) -> None:
    """Put ``rows`` jobs into each state, with an attempt or its progress for some."""
    with _without_indexes(connection, MODELS.jobs):
        for state in JobState:
            fill(connection, state, rows)
    run(
        connection,
        "INSERT INTO soniq_attempts (job_id, claim, outcome)"
        " SELECT id, 1, 'failed' FROM soniq_jobs WHERE state = 'dead'",
    )
    run(
        connection,
        "INSERT INTO soniq_progress (job_id, claim, done)"
        " SELECT id, 1, 1 FROM soniq_jobs WHERE state = 'processing'",
    )
    run(connection, _WORKERS)


def fill(
    connection: psycopg.Connection, state: JobState, rows: int, schema: str = "public"
) -> None:
    """Put ``rows`` jobs into ``state``, in the tables of ``schema``."""
    values = _row(state)
    run(
        connection,
        f"INSERT INTO {schema}.soniq_jobs ({', '.join(values)})"  # noqa: S608
        f" SELECT {', '.join(values.values())} FROM generate_series(1, {rows}) AS number",
    )


def _row(state: JobState) -> dict[str, str]:
    """Return the columns of one row; its id grows, as ids do."""
    place = list(JobState).index(state)
    return {
        "id": f"(lpad(to_hex({place}00000000 + number), 12, '0') || '70008000000000000000')::uuid",
        "task": "'noop'",
        "state": f"'{state}'",
        "args": "'{}'",
        **ROWS[state],
    }


@contextmanager
def _without_indexes(connection: psycopg.Connection, table: Table) -> Iterator[None]:
    """Drop the indexes and the key of a table, and make them again in the end."""
    keys = connection.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = %s::regclass AND contype = 'p'",
        [table.name],
    ).fetchall()
    for name, _ in keys:
        run(connection, f"ALTER TABLE {table.name} DROP CONSTRAINT {name}")
    indexes = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", [table.name]
    ).fetchall()
    for name, _ in indexes:
        run(connection, f"DROP INDEX {name}")
    yield
    run(connection, "SET maintenance_work_mem = '256MB'")
    for name, definition in keys:
        run(connection, f"ALTER TABLE {table.name} ADD CONSTRAINT {name} {definition}")
    for _, definition in indexes:
        run(connection, definition)


def run(connection: psycopg.Connection, statement: str) -> None:
    """Run a statement that a test has put together."""
    connection.execute(statement.encode())
