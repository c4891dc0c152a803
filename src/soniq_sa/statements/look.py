"""One look at all that a worker may have to do, as columns for the statement that renews its lease.

An idle worker asks nothing else. Each column is a probe of a partial index, and costs the same however
many jobs there are.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    Double,
    Label,
    Select,
    Text,
    Uuid,
    bindparam,
    func,
    literal_column,
    select,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.schema import Column, Table

from soniq_sa.models.roles import Models
from soniq_sa.statements.rows import state_is
from soniq_sa.states import SUSPECT_CRASHES, JobState


def look(models: Models) -> list[Label[Any]]:
    """Return what there is to do, column by column. Parameter: owner.

    left: Seconds until the next scheduled job is due; NULL if there is none.
    queues: The queues that hold due jobs.
    suspects: Whether some of these may take their worker down.
    owned: Whether the table gives jobs to the owner.
    orphans: Whether jobs run for a worker that is not there.
    prunable: Whether the retention of a job is over.
    """
    jobs = models.jobs
    mine = state_is(jobs, JobState.PROCESSING), jobs.c.worker_id == bindparam("owner", type_=Uuid())
    crashes = jobs.c.crashes >= literal_column(str(SUSPECT_CRASHES))
    over = jobs.c.keep_until <= func.now()
    return [
        seconds_to_next(jobs).label("left"),
        func.array(waiting_queues(jobs).scalar_subquery(), type_=Text()).label("queues"),
        select(jobs.c.id)
        .where(state_is(jobs, JobState.QUEUED), crashes)
        .exists()
        .label("suspects"),
        select(jobs.c.id).where(*mine).exists().label("owned"),
        _orphans(models).exists().label("orphans"),
        select(jobs.c.id).where(over).exists().label("prunable"),
    ]


def seconds_to_next(jobs: Table) -> ColumnElement[Any]:
    """Return the seconds until the next scheduled job is due; NULL if there is none."""
    first = (
        select(jobs.c.run_at)
        .where(state_is(jobs, JobState.SCHEDULED))
        .order_by(jobs.c.run_at)
        .limit(literal_column("1"))
        .scalar_subquery()
    )
    return func.extract("epoch", first - func.clock_timestamp()).cast(Double)


def waiting_queues(jobs: Table) -> Select[str]:
    """Return the names of the queues that hold due jobs."""
    found = _each(jobs.c.queue, state_is(jobs, JobState.QUEUED), "waiting")
    return select(found.c.value).where(found.c.value.is_not(None))


def _orphans(models: Models) -> Select[Any]:
    jobs, workers = models.jobs, models.workers
    owners = _each(jobs.c.worker_id, state_is(jobs, JobState.PROCESSING), "owners")
    known = select(workers.c.id).where(workers.c.id == owners.c.value).correlate(owners).exists()
    return select(owners.c.value).where(owners.c.value.is_not(None), ~known)


def _each(column: Column[Any], condition: ColumnElement[bool], name: str) -> CTE:
    """Return each value of an indexed column once, and NULL: one probe of the index a value."""
    lowest = select(column).where(condition).order_by(column).limit(literal_column("1"))
    found = select(lowest.scalar_subquery().label("value")).cte(name, recursive=True)
    following = lowest.where(column > found.c.value).correlate(found).scalar_subquery()
    return found.union_all(select(following).where(found.c.value.is_not(None)))
