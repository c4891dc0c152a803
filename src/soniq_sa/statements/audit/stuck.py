"""No job is left with a worker that is dead."""

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
    jobs, workers = models.jobs, models.workers
    wrong = words(
        "is with worker ", workers.c.name, ", whose lease ended ",
        seconds_since(workers.c.expires_at), " s ago",
    )  # fmt: skip
    over = scope.too_long_since(workers.c.expires_at)
    return (
        wrong_jobs(jobs, scope, (over, wrong))
        .where(state_is(jobs, JobState.PROCESSING))
        .join_from(jobs, workers, workers.c.id == jobs.c.worker_id)
    )


STUCK = AuditCheck(
    name="stuck",
    promise="No job is left with a worker that is dead.",
    means="No other worker has taken these jobs over.",
    remedy="Start a worker: it takes them over at once. If one is running, see what it logs.",
    find=_find,
)
