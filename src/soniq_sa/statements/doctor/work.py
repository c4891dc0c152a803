"""The work in the tables: who is there, what waits, what is dead."""

from __future__ import annotations

from sqlalchemy import Double, Executable, cast, func, select

from soniq_sa.models.roles import Models
from soniq_sa.statements.rows import SECOND, state_is
from soniq_sa.states import JobState

_STALE = 60


def worker_counts(models: Models) -> Executable:
    """Return how many workers are alive, how many have long been dead, and whether jobs are queued."""
    workers, jobs = models.workers, models.jobs
    alive = workers.c.expires_at > func.clock_timestamp()
    stale = workers.c.expires_at < func.clock_timestamp() - _STALE * SECOND
    queued = select(jobs.c.id).where(state_is(jobs, JobState.QUEUED)).exists()
    return select(
        func.count().filter(alive).label("alive"),
        func.count().filter(stale).label("stale"),
        select(queued).scalar_subquery().label("queued"),
    ).select_from(workers)


def waiting_by_task(models: Models) -> Executable:
    """Return how many jobs wait, by task and queue, the most first."""
    jobs = models.jobs
    return (
        select(jobs.c.task, jobs.c.queue, func.count().label("number"))
        .where(jobs.c.state.in_((JobState.QUEUED, JobState.SCHEDULED)))
        .group_by(jobs.c.task, jobs.c.queue)
        .order_by(func.count().desc(), jobs.c.task, jobs.c.queue)
    )


def backlog(models: Models) -> Executable:
    """Return, by queue and state, how many jobs are due, and for how many seconds the oldest is."""
    jobs = models.jobs
    age = cast(func.extract("epoch", func.clock_timestamp() - func.min(jobs.c.run_at)), Double)
    return (
        select(jobs.c.queue, jobs.c.state, func.count().label("number"), age.label("age"))
        .where(
            jobs.c.state.in_((JobState.QUEUED, JobState.SCHEDULED)),
            jobs.c.run_at <= func.now(),
        )
        .group_by(jobs.c.queue, jobs.c.state)
        .order_by(func.min(jobs.c.run_at))
    )


def dead_count(models: Models) -> Executable:
    """Return how many dead letters there are, and how many of them were not replayed."""
    jobs = models.jobs
    return select(
        func.count().label("number"),
        func.count().filter(func.coalesce(jobs.c.replays, 0) == 0).label("untouched"),
    ).where(state_is(jobs, JobState.DEAD))
