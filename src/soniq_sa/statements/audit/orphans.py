"""No job is left with a worker that is not in the worker table.

How long a worker has been missing cannot be seen in one snapshot: a job may have run for an hour on a
worker that was removed a moment ago. So whoever asks looks for missing workers, waits, and then asks
only about those.
"""

from __future__ import annotations

from sqlalchemy import Uuid, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import ColumnElement

from soniq_sa.models.roles import Models
from soniq_sa.statements.audit.check import AuditCheck, Scope, WrongJobs, words, wrong_jobs
from soniq_sa.statements.rows import state_is
from soniq_sa.states import JobState


def missing_workers(models: Models, scope: Scope) -> WrongJobs:
    """Return the ids of the workers that own jobs and are not in the worker table."""
    jobs = models.jobs
    return (
        select(jobs.c.worker_id)
        .where(state_is(jobs, JobState.PROCESSING), _is_missing(models), *scope.of(jobs))
        .distinct()
    )


def _is_missing(models: Models) -> ColumnElement[bool]:
    jobs, workers = models.jobs, models.workers
    there = select(workers.c.id).where(workers.c.id == jobs.c.worker_id).correlate(jobs)
    return jobs.c.worker_id.is_not(None) & ~there.exists()


def _find(models: Models, scope: Scope) -> WrongJobs:
    jobs = models.jobs
    lost = jobs.c.worker_id == any_(literal(list(scope.lost_workers), ARRAY(Uuid())))
    wrong = words("is with worker ", jobs.c.worker_id, ", which is not in the worker table")
    return wrong_jobs(jobs, scope, (_is_missing(models), wrong)).where(
        state_is(jobs, JobState.PROCESSING), lost
    )


ORPHANS = AuditCheck(
    name="orphans",
    promise="No job is left with a worker that is gone.",
    means="The worker has left, or was taken for dead, and nobody has put these jobs back.",
    remedy="Start a worker: it puts them back within a lease. If one is running, see what it logs.",
    find=_find,
)
