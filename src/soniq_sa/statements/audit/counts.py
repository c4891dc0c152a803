"""Attempts, crashes and claims of a job agree."""

from __future__ import annotations

from sqlalchemy import case, func

from soniq_sa.models.roles import Models
from soniq_sa.statements.audit.check import AuditCheck, Scope, WrongJobs, words, wrong_jobs
from soniq_sa.states import MAX_CRASHES, UNFINISHED, JobState


def _find(models: Models, scope: Scope) -> WrongJobs:
    jobs = models.jobs
    columns = jobs.c
    numbers = words(
        "has ", columns.attempts, " of ", columns.max_attempts, " attempts, ", columns.crashes,
        " crashes and ", columns.claims, " claims",
    )  # fmt: skip
    runs = case((columns.state == JobState.PROCESSING, 1), else_=0)
    unfinished = columns.state.in_(UNFINISHED)
    limit = func.greatest(columns.max_attempts, 1)
    return wrong_jobs(
        jobs,
        scope,
        (func.least(columns.attempts, columns.crashes, columns.claims) < 0, numbers),
        (columns.attempts + columns.crashes + runs > columns.claims, numbers),
        (columns.attempts > limit, numbers),
        (unfinished & (columns.attempts >= limit), numbers),
        (columns.crashes > MAX_CRASHES, numbers),
        (unfinished & (columns.crashes >= MAX_CRASHES), numbers),
        ((columns.state == JobState.DONE) & (columns.attempts < 1), numbers),
    )


COUNTS = AuditCheck(
    name="counts",
    promise="Each claim ends as one attempt, crash or release, and no limit is exceeded.",
    means="An end was written without a claim, or a job ran more often than it may.",
    remedy="Report it, with the row and its rows in the attempt table, unless the row was written by hand.",
    find=_find,
)
