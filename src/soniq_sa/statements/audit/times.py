"""A job begins before it ends, and before it expires."""

from __future__ import annotations

from soniq_sa.models.roles import Models
from soniq_sa.statements.audit.check import AuditCheck, Scope, WrongJobs, words, wrong_jobs
from soniq_sa.states import JobState


def _find(models: Models, scope: Scope) -> WrongJobs:
    jobs = models.jobs
    ran = jobs.c.worker_id.is_not(None)
    return wrong_jobs(
        jobs,
        scope,
        (
            ran & (jobs.c.finished_at < jobs.c.claimed_at),
            words("ended at ", jobs.c.finished_at, ", before its claim at ", jobs.c.claimed_at),
        ),
        (
            (jobs.c.state == JobState.DONE) & (jobs.c.claimed_at > jobs.c.expires_at),
            words("began at ", jobs.c.claimed_at, ", and had expired at ", jobs.c.expires_at),
        ),
    )


TIMES = AuditCheck(
    name="times",
    promise="A job begins before it ends, and is not begun after it has expired.",
    means="The database's clock was set back, or an end belongs to another claim.",
    remedy="See whether the clock of the database server jumped at that time. If not, report it.",
    find=_find,
)
