"""What the audit does with every check: count what it finds, and look at the first of it."""

from __future__ import annotations

from sqlalchemy import Executable, Integer, bindparam, func, select, true

from soniq_sa.models.roles import Models
from soniq_sa.statements.audit.check import AuditCheck, Scope

_SETTINGS = {"statement_timeout": "0", "jit": "off", "work_mem": "64MB"}


def prepare() -> Executable:
    """Set what the transaction needs for large tables, until its end. Returns the time."""
    return select(
        func.clock_timestamp().label("taken_at"),
        *(func.set_config(name, value, true()) for name, value in _SETTINGS.items()),
    )


def count_states(models: Models, scope: Scope) -> Executable:
    """Return how many jobs are in each state."""
    jobs = models.jobs
    return (
        select(jobs.c.state, func.count().label("number"))
        .where(*scope.of(jobs))
        .group_by(jobs.c.state)
    )


def count_others(models: Models) -> Executable:
    """Return how many attempts are kept, and how many workers are alive."""
    attempts, workers = models.attempts, models.workers
    alive = workers.c.expires_at > func.clock_timestamp()
    return select(
        select(func.count()).select_from(attempts).scalar_subquery().label("attempts"),
        select(func.count()).select_from(workers).where(alive).scalar_subquery().label("workers"),
    )


def count_wrong(check: AuditCheck, models: Models, scope: Scope) -> Executable:
    """Return for how many jobs a check does not hold."""
    return select(func.count()).select_from(check.find(models, scope).subquery("wrong"))


def first_wrong(check: AuditCheck, models: Models, scope: Scope) -> Executable:
    """Return the oldest of these jobs. Parameter: most."""
    wrong = check.find(models, scope).subquery("wrong")
    return select(wrong).order_by(wrong.c.job_id).limit(bindparam("most", type_=Integer()))
