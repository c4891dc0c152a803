"""No two runs of a job overlap."""

from __future__ import annotations

from sqlalchemy import (
    DateTime,
    cast,
    func,
    literal_column,
    select,
    union_all,
)

from soniq_sa.models.roles import Models
from soniq_sa.statements.audit.check import AuditCheck, Scope, WrongJobs, described, words

_EVER = cast(literal_column("'infinity'"), DateTime(timezone=True))


def _find(models: Models, scope: Scope) -> WrongJobs:
    """Compare each run with the one before: those of the attempt table, and the last one of a job."""
    jobs, attempts = models.jobs, models.attempts
    kept = select(
        attempts.c.job_id,
        attempts.c.claim,
        attempts.c.started_at.label("began"),
        attempts.c.finished_at.label("ended"),
    )
    last = select(
        jobs.c.id, jobs.c.claims, jobs.c.claimed_at, func.coalesce(jobs.c.finished_at, _EVER)
    ).where(jobs.c.worker_id.is_not(None), jobs.c.attempts + jobs.c.crashes > 0, jobs.c.claims > 1)
    runs = union_all(kept, last).subquery("runs")
    job, claim = runs.c.job_id, runs.c.claim
    ordered = select(
        job,
        claim,
        runs.c.began,
        func.lag(claim).over(partition_by=job, order_by=claim).label("claim_before"),
        func.lag(runs.c.ended).over(partition_by=job, order_by=claim).label("ended_before"),
    ).subquery("ordered")
    wrong = words(
        "was claimed for the ", ordered.c.claim, ". time at ", ordered.c.began,
        ", and claim ", ordered.c.claim_before, " ended at ", ordered.c.ended_before,
    )  # fmt: skip
    return (
        select(*described(jobs), wrong.label("wrong"))
        .join_from(ordered, jobs, jobs.c.id == ordered.c.job_id)
        .where(
            ordered.c.claim_before < ordered.c.claim,
            ordered.c.ended_before > ordered.c.began,
            *scope.of(jobs),
        )
    )


OVERLAPS = AuditCheck(
    name="overlaps",
    promise="No two attempts of a job overlap.",
    means="A job was given to a worker while another one had it.",
    remedy="See whether the clock of the database server jumped at that time. If not, report it.",
    find=_find,
)
