"""No wish to cancel is forgotten."""

from __future__ import annotations

from soniq_sa.models.roles import Models
from soniq_sa.statements.audit.check import AuditCheck, Scope, WrongJobs, words, wrong_jobs
from soniq_sa.states import JobState


def _find(models: Models, scope: Scope) -> WrongJobs:
    jobs = models.jobs
    waits = jobs.c.state.in_((JobState.SCHEDULED, JobState.QUEUED))
    return wrong_jobs(
        jobs,
        scope,
        (
            waits & jobs.c.cancel_requested_at.is_not(None),
            words("was to be cancelled while it ran, and waits to run again"),
        ),
    )


CANCELS = AuditCheck(
    name="cancels",
    promise="A job that was to be cancelled while it ran does not run again.",
    means="The wish to cancel was passed over when the run ended.",
    remedy="Cancel the jobs again (soniq.control), and report it.",
    find=_find,
)
