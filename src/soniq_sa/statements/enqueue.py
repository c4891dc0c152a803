"""Statements of the application's side: they run inside its transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Double,
    Insert,
    Integer,
    SmallInteger,
    Text,
    Update,
    Uuid,
    bindparam,
    cast,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.elements import ClauseElement, ColumnElement
from sqlalchemy.sql.schema import Table

from soniq_sa.statements.rows import SECOND, due_time, rows, state_until
from soniq_sa.states import JobState

_TIME = DateTime(timezone=True)


def insert_jobs(jobs: Table, *, deferred: bool, others: Mapping[str, Any]) -> Insert:
    """Insert any number of jobs of one task, with the same options, as one statement.

    Parameters: ids and new_args (arrays), task_name, queue_name, job_priority, attempt_limit and
    lifetime (seconds, or None); with ``deferred`` also due_at and delay (seconds), of which one is
    None. ``others`` are values of further columns.
    """
    row = rows("job", ids=Uuid(), new_args=Text())
    run_at = due_time(bindparam("due_at", type_=_TIME), bindparam("delay", type_=Double()))
    values: dict[str, ColumnElement[Any]] = {
        "id": row.c.ids,
        "args": cast(row.c.new_args, JSONB),
        "task": bindparam("task_name", type_=Text()),
        "queue": bindparam("queue_name", type_=Text()),
        "priority": bindparam("job_priority", type_=SmallInteger()),
        "max_attempts": bindparam("attempt_limit", type_=Integer()),
        "run_at": run_at if deferred else func.now(),
        "state": state_until(run_at) if deferred else literal(JobState.QUEUED.value, Text()),
        "expires_at": _after(bindparam("lifetime", type_=Double())),
        **{name: _value(value, jobs.c[name]) for name, value in others.items()},
    }
    return insert(jobs).from_select(list(values), select(*values.values()).select_from(row))


def insert_job_rows(jobs: Table) -> Insert:
    """Insert jobs one by one, for databases without arrays."""
    return insert(jobs)


def complete_jobs(jobs: Table, *, with_args: bool) -> Update:
    """Fill in what was not known when the rows were inserted: keys of entities, and due times.

    Parameters (arrays): ids, due_at, delay (both None: as it is), lifetime (seconds; None: for ever);
    with_args: also new_args. Times are counted by the database's clock. The stored arguments are not
    read: a producer need not be allowed to.
    """
    written = {"new_args": Text()} if with_args else {}
    row = rows("late", ids=Uuid(), **written, due_at=_TIME, delay=Double(), lifetime=Double())
    run_at = func.coalesce(due_time(row.c.due_at, row.c.delay), jobs.c.run_at)
    return (
        update(jobs)
        .where(jobs.c.id == row.c.ids)
        .values(
            run_at=run_at,
            state=state_until(run_at),
            expires_at=_after(row.c.lifetime),
            **({"args": cast(row.c.new_args, JSONB)} if with_args else {}),
        )
        .returning(jobs.c.id, jobs.c.run_at, jobs.c.state)
    )


def complete_job_rows(jobs: Table) -> Update:
    """Fill in the arguments one by one, for databases without arrays. Parameters: job_id, new_args."""
    return update(jobs).where(jobs.c.id == bindparam("job_id")).values(args=bindparam("new_args"))


def notify(channel: str, payload: str) -> Any:
    """Wake the workers that listen on ``channel``."""
    return select(func.pg_notify(channel, payload))


def _value(value: Any, column: Column[Any]) -> Any:
    """Return a value for a column of the user's, which may be an SQL expression already."""
    return value if isinstance(value, ClauseElement) else literal(value, column.type)


def _after(seconds: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.now() + cast(seconds, Double) * SECOND
