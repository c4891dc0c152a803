"""Every replay of a dead letter is counted there."""

from __future__ import annotations

from sqlalchemy import func, select

from soniq_sa.models.roles import Models
from soniq_sa.statements.audit.check import AuditCheck, Scope, WrongJobs, words, wrong_jobs
from soniq_sa.states import JobState


def _find(models: Models, scope: Scope) -> WrongJobs:
    """Count the replays that are still there: no more than the dead job has counted."""
    jobs = models.jobs
    others = jobs.alias("others")
    fresh = (
        select(others.c.replay_of, func.count().label("number"))
        .where(others.c.replay_of.is_not(None))
        .group_by(others.c.replay_of)
        .subquery("fresh")
    )
    counted = func.coalesce(jobs.c.replays, 0)
    return wrong_jobs(
        jobs,
        scope,
        (jobs.c.state != JobState.DEAD, words("was replayed, and is not dead")),
        (
            counted < fresh.c.number,
            words("counts ", counted, " replays, and ", fresh.c.number, " are there"),
        ),
    ).join_from(jobs, fresh, fresh.c.replay_of == jobs.c.id)


REPLAYS = AuditCheck(
    name="replays",
    promise="A job that was replayed is dead, stays so, and counts its replays.",
    means="A dead job was brought back to life, or a replay was made by hand.",
    remedy="Leave dead jobs as they are: soniq-sa dead-letter replay makes fresh ones.",
    find=_find,
)
