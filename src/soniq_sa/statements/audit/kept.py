"""Jobs whose retention is over are deleted."""

from __future__ import annotations

from sqlalchemy import func, literal_column

from soniq_sa.models.roles import Models
from soniq_sa.retention import ENDED
from soniq_sa.statements.audit.check import (
    AuditCheck,
    Scope,
    WrongJobs,
    seconds_since,
    words,
    wrong_jobs,
)


def _find(models: Models, scope: Scope) -> WrongJobs:
    jobs = models.jobs
    over = jobs.c.keep_until < func.now() - literal_column("interval '1 hour'")
    wrong = words(
        "was to be deleted ", seconds_since(jobs.c.keep_until), " s ago, and is still there"
    )
    return wrong_jobs(jobs, scope, (over, wrong)).where(jobs.c.state.in_(ENDED))


KEPT = AuditCheck(
    name="kept",
    promise="Jobs are deleted within an hour when their retention is over.",
    means="No worker was alive to delete them, or rows of yours refer to them.",
    remedy="Let a worker run. See what it logs about jobs that are held.",
    find=_find,
    level="warning",
)
