"""The rows of the attempt table belong to the claims of their jobs."""

from __future__ import annotations

from soniq_sa.models.roles import Models
from soniq_sa.statements.audit.check import AuditCheck, Scope, WrongJobs, words, wrong_jobs
from soniq_sa.statements.rows import SECOND
from soniq_sa.states import AttemptOutcome, JobState


def _find(models: Models, scope: Scope) -> WrongJobs:
    jobs, attempts = models.jobs, models.attempts
    columns = attempts.c
    last = columns.claim == jobs.c.claims
    return wrong_jobs(
        jobs,
        scope,
        (
            (columns.claim < 1) | (columns.claim > jobs.c.claims),
            words("has an attempt of claim ", columns.claim, " and ", jobs.c.claims, " claims"),
        ),
        (
            last & jobs.c.state.in_((JobState.PROCESSING, JobState.DONE)),
            words("has an attempt that failed of claim ", columns.claim, ", which did not fail"),
        ),
        (
            columns.outcome.not_in(list(AttemptOutcome)),
            words("has an attempt that ended as '", columns.outcome, "'"),
        ),
        # A crash is dated by the start of the statement that found it, a little before its own look.
        (
            columns.finished_at < columns.started_at - SECOND,
            words("has an attempt that ended before it started, of claim ", columns.claim),
        ),
    ).join_from(jobs, attempts, attempts.c.job_id == jobs.c.id)


ATTEMPTS = AuditCheck(
    name="attempts",
    promise="Every attempt that is kept belongs to one claim of its job.",
    means="An attempt was recorded by a worker that did not have the job.",
    remedy="Report it, with the row and its rows in the attempt table, unless they were written by hand.",
    find=_find,
)
