"""Pieces that several statements share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    DateTime,
    Double,
    Table,
    Text,
    bindparam,
    case,
    cast,
    column,
    func,
    literal,
    literal_column,
    true,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import TableValuedAlias
from sqlalchemy.types import TypeEngine

from soniq_sa.states import JobState

SECOND: ColumnElement[Any] = literal_column("interval '1 second'")


def array(name: str, type_: TypeEngine[Any]) -> Any:
    """Return a parameter that holds an array; the cast tells every driver its type."""
    return cast(bindparam(name, type_=ARRAY(type_)), ARRAY(type_))


def rows(alias: str, **columns: TypeEngine[Any]) -> TableValuedAlias:
    """Return parameters (arrays of equal length) as a table, one column each."""
    arrays = [array(name, type_) for name, type_ in columns.items()]
    named = [column(name, type_) for name, type_ in columns.items()]
    return func.unnest(*arrays).table_valued(*named).render_derived(name=alias)


def state_is(jobs: Table, state: JobState) -> ColumnElement[bool]:
    """Return ``state = '...'`` as a literal, which a partial index can answer in any plan."""
    return jobs.c.state == literal_column(f"'{state}'")


def has_state(jobs: Table, state: JobState) -> ColumnElement[bool]:
    """Return the same in a form that no index answers, for rows that are found by their ids."""
    return state_is(jobs, state).is_(true())


def due_time(run_at: ColumnElement[Any], delay: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return when a new job is due: at ``run_at``, else ``delay`` seconds after the transaction began."""
    after = func.now() + cast(delay, Double) * SECOND
    return func.coalesce(cast(run_at, DateTime(timezone=True)), after)


def state_until(run_at: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the state of a new job that is due at ``run_at``."""
    return case(
        (run_at > func.now(), literal(JobState.SCHEDULED.value, Text())),
        else_=literal(JobState.QUEUED.value, Text()),
    )
