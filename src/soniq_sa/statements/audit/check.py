"""What every check of the audit is made of: words for people, and a statement that finds what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    Double,
    Select,
    Table,
    Text,
    case,
    cast,
    extract,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.sql.elements import ColumnElement

from soniq_sa.models.roles import Models
from soniq_sa.statements.rows import SECOND

Level = Literal["violation", "warning"]
"""A violation breaks a promise; a warning is what a healthy system may also show."""

if TYPE_CHECKING:
    WrongJobs = Select[*tuple[Any, ...]]
else:
    WrongJobs = Select

Rule = tuple[ColumnElement[bool], ColumnElement[str]]
"""What must not be, and how to say it if it is."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which jobs are audited.

    queue: Those of one queue. None: of every queue.
    since: Those enqueued since then: an aware datetime, or an age in seconds. None: all.
    patience: Seconds for which something may wait for a worker.
    lost_workers: Workers that own jobs and were not in the worker table for that long already.
    """

    queue: str | None = None
    since: datetime | float | None = None
    patience: float = 60.0
    lost_workers: tuple[UUID, ...] = ()

    @property
    def is_partial(self) -> bool:
        """Tell whether some jobs are left out."""
        return self.queue is not None or self.since is not None

    def of(self, jobs: Table) -> list[ColumnElement[bool]]:
        """Return the conditions for the rows of the job table."""
        conditions: list[ColumnElement[bool]] = []
        if self.queue is not None:
            conditions.append(jobs.c.queue == literal(self.queue, Text()))
        if self.since is not None:
            conditions.append(jobs.c.created_at >= _moment(self.since))
        return conditions

    def too_long_since(self, moment: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return whether ``moment`` is longer ago than patience lasts."""
        return moment < func.now() - literal(self.patience, Double()) * SECOND


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """One thing that the tables must show.

    name: A word to find it by.
    promise: What holds for every job.
    means, remedy: What it means where it does not hold, and what to do then.
    find: Makes the statement that returns the jobs for which it does not hold, with the columns of
        `wrong_jobs`.
    level: See `Level`.
    """

    name: str
    promise: str
    means: str
    remedy: str
    find: Callable[[Models, Scope], WrongJobs]
    level: Level = "violation"


def wrong_jobs(jobs: Table, scope: Scope, *rules: Rule) -> WrongJobs:
    """Return the jobs that break a rule: job_id, task, queue, state, and what is wrong.

    Of several rules that a job breaks, the first is told. Add joins and conditions as needed.
    """
    return select(*described(jobs), case(*rules).label("wrong")).where(
        or_(*(condition for condition, _ in rules)), *scope.of(jobs)
    )


def described(jobs: Table) -> tuple[ColumnElement[Any], ...]:
    """Return the columns that tell which job is meant."""
    return jobs.c.id.label("job_id"), jobs.c.task, jobs.c.queue, jobs.c.state


def words(*parts: str | ColumnElement[Any]) -> ColumnElement[str]:
    """Return a sentence made of texts and values."""
    return func.concat(*(literal(one, Text()) if isinstance(one, str) else one for one in parts))


def seconds_since(moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return how many whole seconds ago that was; an infinite time has no number."""
    seconds = cast(extract("epoch", func.now() - moment), BigInteger)
    return case((func.isfinite(moment), seconds))


def _moment(given: datetime | float) -> ColumnElement[Any]:
    if isinstance(given, datetime):
        return literal(given, DateTime(timezone=True))
    return func.now() - literal(given, Double()) * SECOND
