"""Queued jobs are taken."""

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
    wrong = words("has been due for ", seconds_since(jobs.c.run_at), " s, and no worker has it")
    late = scope.too_long_since(jobs.c.run_at)
    return wrong_jobs(jobs, scope, (late, wrong)).where(state_is(jobs, JobState.QUEUED))


WAITING = AuditCheck(
    name="waiting",
    promise="Queued jobs are taken by a worker.",
    means="The workers are busy or away, or none of them has the task or serves the queue.",
    remedy="Run soniq-sa doctor --app ...: it tells which. Start more workers if all are busy.",
    find=_find,
    level="warning",
)
