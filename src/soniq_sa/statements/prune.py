"""Deleting jobs whose retention is over.

Two steps: a page of ids from the index ``(keep_until) WHERE keep_until IS NOT NULL``, then the deletion
of these ids. The second goes by the primary key, passes over rows that somebody has locked, and looks
at each row again, in a form that no index answers: the planner takes the index of the first step where
its statistics say that little is due, and walks all of it.

Deleted rows leave dead entries at the head of that index until it is vacuumed. So a page begins where
the last one ended.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Double,
    Integer,
    Select,
    Table,
    Text,
    Update,
    Uuid,
    any_,
    bindparam,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from soniq_sa.models.roles import Models
from soniq_sa.retention import ENDED
from soniq_sa.statements.removal import remove_jobs
from soniq_sa.statements.rows import SECOND, array

_TIME = DateTime(timezone=True)


def prunable_jobs(models: Models) -> Select[Any, str, bool]:
    """Return a page of jobs whose retention is over: id, keep_until (text), and whether it is held.

    Parameters: page_size, and since (text; None: from the beginning), the keep_until of the last job of
    the page before. A job is held while a row of the user refers to it; see `references_to`.
    """
    jobs = models.jobs
    since = cast(cast(bindparam("since", type_=Text()), Text), _TIME)
    held = or_(
        literal_column("false"), *(_is_referred_to(jobs, one) for one in references_to(jobs))
    )
    return (
        select(jobs.c.id, cast(jobs.c.keep_until, Text).label("keep_until"), held.label("held"))
        .where(
            jobs.c.keep_until <= func.now(),
            jobs.c.keep_until >= func.coalesce(since, cast(literal_column("'-infinity'"), _TIME)),
            _has_ended(jobs),
        )
        .order_by(jobs.c.keep_until)
        .limit(bindparam("page_size", type_=Integer()))
    )


def references_to(jobs: Table) -> list[Column[Any]]:
    """Return the columns of the user that refer to jobs, and keep a job from being deleted."""
    target = f"{jobs.fullname}.{jobs.c.id.name}"
    return [
        key.parent
        for table in jobs.metadata.tables.values()
        for key in table.foreign_keys
        if key.target_fullname == target
        and (key.ondelete or "NO ACTION").upper() in {"NO ACTION", "RESTRICT"}
    ]


def prune_jobs(models: Models) -> Select[Any]:
    """Delete those of some jobs whose retention is over. Parameter: ids (array). Returns their ids."""
    jobs = models.jobs
    over: ColumnElement[bool] = (jobs.c.keep_until <= func.now()).is_(true())
    free = (
        select(jobs.c.id)
        .where(_among(jobs), over, _has_ended(jobs))
        .with_for_update(skip_locked=True)
        .cte("free")
    )
    return remove_jobs(models, jobs.c.id == any_(func.array(select(free.c.id).scalar_subquery())))


def put_off_pruning(models: Models) -> Update:
    """Keep jobs for as long again as they are kept by now. Returns their ids.

    Parameters: ids (array), shortest and longest (seconds).
    """
    jobs = models.jobs
    age = func.clock_timestamp() - jobs.c.finished_at
    again = func.least(
        func.greatest(age, bindparam("shortest", type_=Double()) * SECOND),
        bindparam("longest", type_=Double()) * SECOND,
    )
    return (
        update(jobs)
        .where(_among(jobs), _has_ended(jobs))
        .values(keep_until=func.clock_timestamp() + again)
        .returning(jobs.c.id)
    )


def _is_referred_to(jobs: Table, reference: Column[Any]) -> ColumnElement[bool]:
    others = reference.table.alias()
    refers = others.c[reference.key] == jobs.c.id
    return exists(select(literal_column("1")).where(refers).correlate(jobs))


def _among(jobs: Table) -> ColumnElement[bool]:
    return jobs.c.id == any_(array("ids", Uuid()))


def _has_ended(jobs: Table) -> ColumnElement[bool]:
    return jobs.c.state.in_([literal_column(f"'{state}'") for state in ENDED])
