"""Writing how a run ended.

Every statement here is fenced: it changes a row only if the row still carries the claim and the
worker that ran it, and has no end yet. ``claims`` grows with each claim, so a run that lost its job
changes nothing, and a statement that is repeated after a lost answer changes nothing twice. There is
no condition on the state: it would lead the planner into the partial index of running jobs, with
its dead entries.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Double,
    Integer,
    Text,
    Update,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.schema import Table
from sqlalchemy.sql.selectable import TableValuedAlias

from soniq_sa.models.roles import Models
from soniq_sa.statements.rows import SECOND, array, rows
from soniq_sa.states import JobState


def finish_done(models: Models) -> Update:
    """Mark jobs done that were claimed equally often. Parameters: ids (array), claim_number, owner.

    Returns the ids that were written.
    """
    jobs = models.jobs
    return (
        update(jobs)
        .where(
            _among(jobs), jobs.c.claims == bindparam("claim_number", type_=Integer()), _fence(jobs)
        )
        .values(
            state=literal_column(f"'{JobState.DONE}'"),
            attempts=jobs.c.attempts + 1,
            finished_at=func.clock_timestamp(),
            error=null(),
        )
        .returning(jobs.c.id)
    )


def finish_failed(models: Models) -> Insert:
    """End attempts that did not succeed: back to ``scheduled`` or ``queued``, or ``dead``.

    Parameters: owner, and arrays: ids, claim_numbers, outcomes, errors, reasons, delays (seconds; None
    if there must not be another attempt). Each attempt is kept in the attempt table. Returns the ids
    that were written.
    """
    jobs, attempts = models.jobs, models.attempts
    ended = rows(
        "ended",
        ids=Uuid(),
        claim_numbers=Integer(),
        outcomes=Text(),
        errors=Text(),
        reasons=Text(),
        delays=Double(),
    )
    written = _write_failures(jobs, ended).cte("written")
    kept: dict[str, ColumnElement[Any]] = {
        "job_id": written.c.id,
        "claim": written.c.claims,
        "worker_id": bindparam("owner", type_=Uuid()),
        "started_at": written.c.claimed_at,
        "finished_at": func.clock_timestamp(),
        "outcome": written.c.outcomes,
        "error": written.c.errors,
    }
    return (
        insert(attempts)
        .from_select(list(kept), select(*kept.values()).select_from(written))
        .returning(attempts.c.job_id)
    )


def _write_failures(jobs: Table, ended: TableValuedAlias) -> Update:
    final = ended.c.delays.is_(None) | (jobs.c.attempts + 1 >= jobs.c.max_attempts)
    return (
        update(jobs)
        .where(
            jobs.c.id == ended.c.ids,
            jobs.c.claims == ended.c.claim_numbers,
            _fence(jobs),
        )
        .values(
            state=case(
                (final, literal_column(f"'{JobState.DEAD}'")),
                (ended.c.delays > 0, literal_column(f"'{JobState.SCHEDULED}'")),
                else_=literal_column(f"'{JobState.QUEUED}'"),
            ),
            attempts=jobs.c.attempts + 1,
            run_at=case(
                (final, jobs.c.run_at), else_=func.clock_timestamp() + ended.c.delays * SECOND
            ),
            finished_at=case((final, func.clock_timestamp())),
            worker_id=case((final, jobs.c.worker_id)),
            reason=case((final, ended.c.reasons)),
            error=ended.c.errors,
        )
        .returning(jobs.c.id, jobs.c.claims, jobs.c.claimed_at, ended.c.outcomes, ended.c.errors)
    )


def release_jobs(models: Models) -> Update:
    """Put jobs back into their queues; no attempt is consumed.

    Parameters: owner, ids and claim_numbers (arrays). Returns the queues of the released jobs.
    """
    jobs = models.jobs
    left = rows("left_jobs", ids=Uuid(), claim_numbers=Integer())
    return (
        update(jobs)
        .where(
            jobs.c.id == left.c.ids,
            jobs.c.claims == left.c.claim_numbers,
            _fence(jobs),
        )
        .values(state=literal_column(f"'{JobState.QUEUED}'"), worker_id=null(), claimed_at=null())
        .returning(jobs.c.queue)
    )


def _among(jobs: Table) -> ColumnElement[bool]:
    return jobs.c.id == any_(array("ids", Uuid()))


def _fence(jobs: Table) -> ColumnElement[bool]:
    return and_(jobs.c.worker_id == bindparam("owner", type_=Uuid()), jobs.c.finished_at.is_(None))
