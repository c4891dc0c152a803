"""Jobs whose time has come are queued."""

from __future__ import annotations

from soniq_sa.models.roles import Models
from soniq_sa.statements.audit.check import (
    AuditCheck,
    Scope,
    WrongJobs,
    seconds_since,
    words,
    wrong_jobs,
)
from soniq_sa.statements.rows import state_is
from soniq_sa.states import JobState


def _find(models: Models, scope: Scope) -> WrongJobs:
    jobs = models.jobs
    wrong = words("has been due for ", seconds_since(jobs.c.run_at), " s, and is not queued")
    late = scope.too_long_since(jobs.c.run_at)
    return wrong_jobs(jobs, scope, (late, wrong)).where(state_is(jobs, JobState.SCHEDULED))


DUE = AuditCheck(
    name="due",
    promise="Scheduled jobs are queued when their time has come.",
    means="No worker is alive that would queue them.",
    remedy="Start a worker: any one queues the jobs of all. If one is running, see what it logs.",
    find=_find,
    level="warning",
)
