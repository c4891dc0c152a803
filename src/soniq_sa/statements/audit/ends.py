"""The end of a job and its state agree."""

from __future__ import annotations

from soniq_sa.models.roles import Models
from soniq_sa.retention import ENDED
from soniq_sa.statements.audit.check import AuditCheck, Scope, WrongJobs, words, wrong_jobs
from soniq_sa.states import UNFINISHED, JobState


def _find(models: Models, scope: Scope) -> WrongJobs:
    jobs = models.jobs
    ended, waits = jobs.c.state.in_(ENDED), jobs.c.state.in_(UNFINISHED)
    return wrong_jobs(
        jobs,
        scope,
        (jobs.c.state.not_in(list(JobState)), words("has a state that does not exist")),
        (ended & jobs.c.finished_at.is_(None), words("has ended, and has no finished_at")),
        (
            waits & jobs.c.finished_at.is_not(None),
            words("has not ended, and has a finished_at: no worker can write its end"),
        ),
        (
            waits & jobs.c.keep_until.is_not(None),
            words("has not ended, and has a keep_until"),
        ),
    )


ENDS = AuditCheck(
    name="ends",
    promise="A job that has ended has one recorded end, and no other job has one.",
    means="Something other than soniq-sa has written the state or the end of these jobs.",
    remedy="Set state and finished_at so that they agree, and find out who writes to the table.",
    find=_find,
)
