"""Who has a job, and its state, agree."""

from __future__ import annotations

from sqlalchemy import or_

from soniq_sa.models.roles import Models
from soniq_sa.statements.audit.check import AuditCheck, Scope, WrongJobs, words, wrong_jobs
from soniq_sa.states import JobState


def _find(models: Models, scope: Scope) -> WrongJobs:
    jobs = models.jobs
    state = jobs.c.state
    nobody = or_(jobs.c.worker_id.is_(None), jobs.c.claimed_at.is_(None), jobs.c.claims < 1)
    waits = state.in_((JobState.SCHEDULED, JobState.QUEUED))
    return wrong_jobs(
        jobs,
        scope,
        ((state == JobState.PROCESSING) & nobody, words("is processing, and no worker has it")),
        (waits & jobs.c.worker_id.is_not(None), words("waits, and belongs to a worker")),
        ((state == JobState.DONE) & nobody, words("is done, and no worker has run it")),
        (
            (state == JobState.DEAD) & (jobs.c.claims < 1),
            words("is dead, and no worker has taken it"),
        ),
    )


CLAIMS = AuditCheck(
    name="claims",
    promise="A job that runs belongs to one worker, and a job that waits to none.",
    means="A claim, or an end, was not written by a worker.",
    remedy="Set a stuck job back: state 'queued', worker_id NULL. Find out who writes to the table.",
    find=_find,
)
