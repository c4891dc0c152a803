"""No job starts before it is due."""

from __future__ import annotations

from soniq_sa.models.roles import Models
from soniq_sa.statements.audit.check import AuditCheck, Scope, WrongJobs, words, wrong_jobs


def _find(models: Models, scope: Scope) -> WrongJobs:
    jobs = models.jobs
    return wrong_jobs(
        jobs,
        scope,
        (
            jobs.c.worker_id.is_not(None) & (jobs.c.claimed_at < jobs.c.run_at),
            words("was claimed at ", jobs.c.claimed_at, ", and is due at ", jobs.c.run_at),
        ),
    )


EARLY = AuditCheck(
    name="early",
    promise="No job starts before it is due.",
    means="It was inserted as 'queued' with a later run_at, or the database's clock was set back.",
    remedy="Where jobs are enqueued from SQL, insert those for later as 'scheduled'.",
    find=_find,
    level="warning",
)
