"""Nothing is kept of jobs that are deleted."""

from __future__ import annotations

from sqlalchemy import Table, Text, cast, false, literal, null, select, union_all

from soniq_sa.models.roles import Models
from soniq_sa.statements.audit.check import AuditCheck, Scope, WrongJobs


def _find(models: Models, scope: Scope) -> WrongJobs:
    """Return ids that only the other tables have; where some jobs are left out, nobody can tell."""
    nothing = cast(null(), Text)
    left = union_all(*(_left(models, one) for one in (models.attempts, models.progress)))
    found = left.subquery("found")
    return select(
        found.c.job_id,
        nothing.label("task"),
        nothing.label("queue"),
        nothing.label("state"),
        found.c.wrong,
    ).where(*([false()] if scope.is_partial else []))


def _left(models: Models, table: Table) -> WrongJobs:
    jobs = models.jobs
    there = select(jobs.c.id).where(jobs.c.id == table.c.job_id).correlate(table)
    wrong = literal(f"is not there, and has rows in {table.fullname}", Text())
    return select(table.c.job_id, wrong.label("wrong")).where(~there.exists()).distinct()


LEFTOVERS = AuditCheck(
    name="leftovers",
    promise="Nothing is kept of jobs that are deleted.",
    means="Jobs were deleted by hand, or while a worker was writing about them.",
    remedy="Delete these rows of the attempt and the progress table.",
    find=_find,
    level="warning",
)
