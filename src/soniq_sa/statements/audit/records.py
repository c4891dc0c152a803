"""What is recorded with an end belongs to that end."""

from __future__ import annotations

from sqlalchemy import func, or_

from soniq_sa.models.roles import Models
from soniq_sa.statements.audit.check import AuditCheck, Scope, WrongJobs, words, wrong_jobs
from soniq_sa.states import JobState, Reason


def _find(models: Models, scope: Scope) -> WrongJobs:
    jobs = models.jobs
    dead, done = jobs.c.state == JobState.DEAD, jobs.c.state == JobState.DONE
    reason = func.coalesce(jobs.c.reason, "")
    said = or_(jobs.c.error.is_not(None), jobs.c.reason.is_not(None))
    return wrong_jobs(
        jobs,
        scope,
        (dead & reason.not_in(list(Reason)), words("is dead, for the reason '", reason, "'")),
        (dead & jobs.c.error.is_(None), words("is dead, and no error is kept")),
        (done & said, words("is done, and has a reason or an error")),
        (~done & jobs.c.result.is_not(None), words("is not done, and has a result")),
    )


RECORDS = AuditCheck(
    name="records",
    promise="A dead job has a known reason and an error, and a job that is done has neither.",
    means="An end was written by something other than soniq-sa.",
    remedy="Nothing is stuck. Give dead jobs a reason, so that filters find them.",
    find=_find,
)
