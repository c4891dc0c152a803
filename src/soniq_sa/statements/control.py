"""What people and programs do to a job from outside.

Each statement names one job and the states in which it may be touched, and returns nothing if it is in
another one; the row's lock decides races with workers. A running job is only asked: the worker that
has it writes its end.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    DateTime,
    Double,
    Executable,
    Select,
    SmallInteger,
    Table,
    Text,
    Update,
    Uuid,
    bindparam,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from soniq_sa.models.roles import Models
from soniq_sa.retention import Retention
from soniq_sa.statements.removal import remove_jobs
from soniq_sa.statements.retention import keep_until
from soniq_sa.statements.rows import SECOND, has_state
from soniq_sa.states import JobState

_WAITING = (JobState.SCHEDULED.value, JobState.QUEUED.value)


def cancel_job(models: Models, retention: Retention) -> Update:
    """End a job that waits, and ask the worker of one that runs. Parameters: job_id, why (or None).

    Returns the state then: ``cancelled``, or ``processing``.
    """
    jobs = models.jobs
    waits = jobs.c.state.in_(_WAITING)
    now = func.clock_timestamp()
    return (
        update(jobs)
        .where(_one(jobs), jobs.c.finished_at.is_(None))
        .values(
            state=case((waits, literal_column(f"'{JobState.CANCELLED}'")), else_=jobs.c.state),
            finished_at=case((waits, now)),
            keep_until=case((waits, keep_until(jobs, retention, JobState.CANCELLED))),
            cancel_requested_at=case(
                (waits, null()), else_=func.coalesce(jobs.c.cancel_requested_at, now)
            ),
            reason=func.coalesce(bindparam("why", type_=Text()), jobs.c.reason),
        )
        .returning(jobs.c.state)
    )


def put_off_job(models: Models) -> Update:
    """Give a job that waits another time. Parameters: job_id, due_at, delay (one of them is None).

    Returns its queue and the state then.
    """
    jobs = models.jobs
    run_at = func.coalesce(
        cast(bindparam("due_at", type_=DateTime(timezone=True)), DateTime(timezone=True)),
        func.clock_timestamp() + cast(bindparam("delay", type_=Double()), Double) * SECOND,
    )
    state = case(
        (run_at > func.clock_timestamp(), literal(JobState.SCHEDULED.value, Text())),
        else_=literal(JobState.QUEUED.value, Text()),
    )
    return _waiting(jobs).values(run_at=run_at, state=state).returning(jobs.c.queue, jobs.c.state)


def hurry_retry(models: Models) -> Update:
    """Make a job that failed and waits for its retry due at once. Parameter: job_id.

    Returns its queue.
    """
    jobs = models.jobs
    return (
        update(jobs)
        .where(_one(jobs), has_state(jobs, JobState.SCHEDULED), jobs.c.attempts > 0)
        .values(run_at=func.clock_timestamp(), state=literal_column(f"'{JobState.QUEUED}'"))
        .returning(jobs.c.queue)
    )


def set_job_priority(models: Models) -> Update:
    """Give a job that waits another priority. Parameters: job_id, new_priority. Returns its queue."""
    jobs = models.jobs
    priority = bindparam("new_priority", type_=SmallInteger())
    return _waiting(jobs).values(priority=priority).returning(jobs.c.queue)


def delete_job(models: Models) -> Executable:
    """Delete a job that does not run, its attempts and its progress. Parameter: job_id.

    Returns its id.
    """
    jobs = models.jobs
    return remove_jobs(models, _one(jobs), jobs.c.state != JobState.PROCESSING.value)


def read_state(models: Models) -> Select[Any]:
    """Return the state of a job. Parameter: job_id."""
    jobs = models.jobs
    return select(jobs.c.state).where(_one(jobs))


def _waiting(jobs: Table) -> Update:
    return update(jobs).where(_one(jobs), jobs.c.state.in_(_WAITING))


def _one(jobs: Table) -> ColumnElement[bool]:
    return jobs.c.id == bindparam("job_id", type_=Uuid())
