"""Until when a job is kept that ends: every statement that writes an end writes this with it.

The time is counted from the end, by the database's clock. What a task says is looked up by the name
that stands in the row, an earlier one perhaps; names and times are literals, so that the statement is
the same for all of a process's life and has no parameter more. NULL is for ever.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import DateTime, Table, case, cast, func, literal_column, null
from sqlalchemy.sql.elements import ColumnElement

from soniq_sa.retention import Retention
from soniq_sa.states import JobState

_NEVER: ColumnElement[Any] = cast(null(), DateTime(timezone=True))


def keep_until(jobs: Table, retention: Retention, state: JobState) -> ColumnElement[Any]:
    """Return the time until which a job is kept that ends now, as ``state``."""
    default = retention.defaults[state]
    own = retention.exceptions(state)
    if not own:
        return _NEVER if default is None else func.clock_timestamp() + _interval(default)
    spans = [
        (jobs.c.task.in_([*map(_quoted, names)]), _interval(span)) for span, names in own.items()
    ]
    return func.clock_timestamp() + case(*spans, else_=_interval(default))


def _interval(seconds: float | None) -> ColumnElement[Any]:
    """Return an interval that PostgreSQL reads in every ``IntervalStyle``."""
    return null() if seconds is None else literal_column(f"interval '{seconds:.6f} seconds'")


def _quoted(task: str) -> ColumnElement[str]:
    """Return a task name as a literal: `soniq_sa.options.check_task_name` lets no quote through."""
    return literal_column(f"'{task}'")
