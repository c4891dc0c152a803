"""The attempt table holds an attempt for each one that a job counts."""

from __future__ import annotations

from sqlalchemy import case, func, select

from soniq_sa.models.roles import Models
from soniq_sa.statements.audit.check import AuditCheck, Scope, WrongJobs, words, wrong_jobs
from soniq_sa.states import AttemptOutcome, JobState


def _find(models: Models, scope: Scope) -> WrongJobs:
    """Count the attempts of each job; the one that succeeded is not kept."""
    jobs, attempts = models.jobs, models.attempts
    crashed = attempts.c.outcome == AttemptOutcome.CRASHED
    kept = (
        select(
            attempts.c.job_id,
            func.count().filter(~crashed).label("ended"),
            func.count().filter(crashed).label("crashed"),
        )
        .group_by(attempts.c.job_id)
        .subquery("kept")
    )
    ended, crashes = func.coalesce(kept.c.ended, 0), func.coalesce(kept.c.crashed, 0)
    succeeded = case((jobs.c.state == JobState.DONE, 1), else_=0)
    return wrong_jobs(
        jobs,
        scope,
        (
            jobs.c.attempts != ended + succeeded,
            words("counts ", jobs.c.attempts, " attempts, and ", ended, " that failed are kept"),
        ),
        (
            jobs.c.crashes != crashes,
            words("counts ", jobs.c.crashes, " crashes, and ", crashes, " are kept"),
        ),
    ).outerjoin_from(jobs, kept, kept.c.job_id == jobs.c.id)


OUTCOMES = AuditCheck(
    name="outcomes",
    promise="Every attempt and crash that a job counts is kept, but for the one that succeeded.",
    means="Rows of the attempt table were deleted, or a count was written by hand.",
    remedy="Delete attempts with their jobs only. If nobody did it, report it.",
    find=_find,
)
