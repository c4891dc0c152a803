"""Reading jobs, for those who ask about them."""

from __future__ import annotations

from sqlalchemy import Executable, Text, Uuid, and_, any_, cast, select

from soniq_sa.models.roles import Models
from soniq_sa.statements.rows import array


def read_jobs(models: Models) -> Executable:
    """Read jobs by their ids. Parameter: ids (array). JSON columns come as text."""
    jobs, progress = models.jobs, models.progress
    of_last_run = and_(progress.c.job_id == jobs.c.id, progress.c.claim == jobs.c.claims)
    found = select(
        jobs.c.id,
        jobs.c.task,
        jobs.c.queue,
        jobs.c.state,
        jobs.c.priority,
        jobs.c.run_at,
        jobs.c.created_at,
        jobs.c.finished_at,
        jobs.c.attempts,
        jobs.c.max_attempts,
        jobs.c.reason,
        jobs.c.error,
        cast(jobs.c.result, Text).label("result"),
        cast(jobs.c.tags, Text).label("tags"),
        cast(jobs.c.headers, Text).label("headers"),
        progress.c.done,
        progress.c.total,
        progress.c.note,
        progress.c.updated_at,
    )
    return found.outerjoin_from(jobs, progress, of_last_run).where(
        jobs.c.id == any_(array("ids", Uuid()))
    )


def read_ends(models: Models) -> Executable:
    """Read of some jobs whether they have ended. Parameter: ids (array)."""
    jobs = models.jobs
    ended = jobs.c.finished_at.is_not(None).label("ended")
    return select(jobs.c.id, ended).where(jobs.c.id == any_(array("ids", Uuid())))
