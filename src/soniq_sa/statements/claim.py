"""Taking jobs.

The scan must cost what it takes, never what waits: each queue is a range of the partial index
``(queue, priority, run_at, id) WHERE state = 'queued'``, in the order of the claim. ``queue = ANY``
would read and sort the whole backlog. The state is a literal, because a bound one does not match the
index's predicate in a generic plan. The update goes by ``id = ANY(ARRAY(...))``, which stays with the
primary key where a join may become a sequential scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    DateTime,
    Double,
    Executable,
    Integer,
    SmallInteger,
    Table,
    Text,
    Update,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    extract,
    func,
    literal_column,
    null,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import CTE, TableValuedAlias
from sqlalchemy.types import TypeEngine

from soniq_sa.models.roles import Models
from soniq_sa.statements.look import waiting_queues
from soniq_sa.statements.rows import array, rows, state_is
from soniq_sa.states import SUSPECT_CRASHES, JobState


def claim_jobs(models: Models, *, suspects: bool = False, marked: bool = False) -> Update:
    """Give up to ``limit`` due jobs to a worker that is alive, queue by queue.

    suspects: Take those that have taken part in `SUSPECT_CRASHES` crashes, and only those; else all
        others. marked: Take only those behind a priority, due time and id, up to another priority.

    Parameters: queues and tasks (arrays), limit, owner; with ``marked`` also priorities, times, ids and
    last_priorities (arrays as long as queues, which may hold a queue several times); with ``suspects``
    also most_crashes. Returns the claimed rows, unordered; those of suspects with their crashes.
    """
    jobs = models.jobs
    picked = _pick(models, suspects=suspects, marked=marked)
    return (
        update(jobs)
        .where(jobs.c.id == any_(func.array(select(picked.c.id).scalar_subquery())))
        .values(
            state=literal_column(f"'{JobState.PROCESSING}'"),
            claims=jobs.c.claims + 1,
            worker_id=bindparam("owner", type_=Uuid()),
            claimed_at=func.clock_timestamp(),
            reason=null(),
        )
        .returning(
            jobs.c.id,
            jobs.c.task,
            jobs.c.queue,
            jobs.c.priority,
            jobs.c.run_at,
            cast(jobs.c.args, Text).label("args"),
            jobs.c.attempts,
            jobs.c.max_attempts,
            jobs.c.claims,
            jobs.c.created_at,
            jobs.c.timeout,
            _seconds_left(jobs).label("seconds_left"),
            cast(jobs.c.tags, Text).label("tags"),
            cast(jobs.c.headers, Text).label("headers"),
            *([jobs.c.crashes] if suspects else []),
        )
    )


def _seconds_left(jobs: Table) -> ColumnElement[Any]:
    """Return how long a job may still be run; NULL, and nothing to compute, for most jobs."""
    left = _epoch(jobs.c.expires_at) - _epoch(func.clock_timestamp())
    return case((jobs.c.expires_at.is_not(None), left))


def _epoch(moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a time in seconds: of infinite times, PostgreSQL makes no difference."""
    return cast(extract("epoch", moment), Double)


def _pick(models: Models, *, suspects: bool, marked: bool) -> CTE:
    """Return the locked ids: the first of each queue, in the order of the index."""
    jobs, workers = models.jobs, models.workers
    limit = bindparam("limit", type_=Integer())
    places: dict[str, TypeEngine[Any]] = {
        "priorities": SmallInteger(),
        "times": DateTime(timezone=True),
        "ids": Uuid(),
        "last_priorities": SmallInteger(),
    }
    served = rows("served", queues=Text(), **(places if marked else {}))
    ready = (
        select(jobs.c.id)
        .where(
            state_is(jobs, JobState.QUEUED),
            *_crashed(jobs, suspects=suspects),
            jobs.c.queue == served.c.queues,
            jobs.c.task == any_(array("tasks", Text())),
            *(_within(jobs, served) if marked else ()),
        )
        .order_by(*([] if suspects else [jobs.c.priority]), jobs.c.run_at, jobs.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .correlate(served)
        .lateral("ready")
    )
    alive = select(workers.c.id).where(workers.c.id == bindparam("owner", type_=Uuid()))
    return (
        select(ready.c.id)
        .select_from(served.join(ready, true()))
        .where(alive.exists())
        .limit(limit)
        .cte("picked")
    )


def _crashed(jobs: Table, *, suspects: bool) -> Sequence[ColumnElement[bool]]:
    threshold: ColumnElement[int] = literal_column(str(SUSPECT_CRASHES))
    if not suspects:
        return (jobs.c.crashes < threshold,)
    most = bindparam("most_crashes", type_=Integer())
    return jobs.c.crashes >= threshold, jobs.c.crashes <= most


def _within(jobs: Table, served: TableValuedAlias) -> Sequence[ColumnElement[bool]]:
    mark = tuple_(served.c.priorities, served.c.times, served.c.ids)
    behind = tuple_(jobs.c.priority, jobs.c.run_at, jobs.c.id) > mark
    return behind, jobs.c.priority <= served.c.last_priorities


def queues_with_jobs(models: Models) -> Executable:
    """Return the names of the queues that hold due jobs, as ``value``."""
    return waiting_queues(models.jobs)
