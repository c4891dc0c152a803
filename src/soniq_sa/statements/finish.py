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
    Executable,
    Integer,
    Select,
    Text,
    Update,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal_column,
    null,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.schema import Table
from sqlalchemy.sql.selectable import TableValuedAlias

from soniq_sa.models.roles import Models
from soniq_sa.retention import Retention
from soniq_sa.statements.removal import remove_jobs
from soniq_sa.statements.retention import keep_until
from soniq_sa.statements.rows import SECOND, array, rows
from soniq_sa.states import JobState


def finish_done(models: Models, retention: Retention) -> Update:
    """Mark jobs done that were claimed equally often. Parameters: ids (array), claim_number, owner.

    Returns the ids that were written.
    """
    jobs = models.jobs
    return (
        update(jobs)
        .where(*_claimed_together(jobs))
        .values(_done(jobs, retention))
        .returning(jobs.c.id)
    )


def finish_deleted(models: Models) -> Select[Any]:
    """Delete jobs that are done, instead of marking them. Parameters and result as of `finish_done`.

    A job that is done at its first claim has no attempts. It may have said its progress, which is
    perhaps being written now: such a job is not meant.
    """
    return remove_jobs(models, *_claimed_together(models.jobs), traces_from=2)


def finish_with_results(models: Models, retention: Retention) -> Update:
    """Mark jobs done, and keep what they returned.

    Parameters: owner, and arrays: ids, claim_numbers, results (JSON; None for nothing). Returns the
    ids that were written.
    """
    jobs = models.jobs
    ended = rows("ended", ids=Uuid(), claim_numbers=Integer(), results=Text())
    return (
        update(jobs)
        .where(
            _among(jobs),
            jobs.c.id == ended.c.ids,
            jobs.c.claims == ended.c.claim_numbers,
            _fence(jobs),
        )
        .values({**_done(jobs, retention), "result": cast(ended.c.results, JSONB)})
        .returning(jobs.c.id)
    )


def _done(jobs: Table, retention: Retention) -> dict[str, Any]:
    return {
        "state": literal_column(f"'{JobState.DONE}'"),
        "attempts": jobs.c.attempts + 1,
        "finished_at": func.clock_timestamp(),
        "keep_until": keep_until(jobs, retention, JobState.DONE),
        "error": null(),
        "reason": null(),
    }


def finish_otherwise(models: Models, retention: Retention) -> Select[Any, Any]:
    """End runs that are not done: back to ``scheduled`` or ``queued``, or to a final state.

    Parameters: owner, and arrays: ids, claim_numbers, consumed (attempts, 0 or 1), outcomes (of the
    attempt; None keeps none), errors, reasons, delays (seconds; None if the job is not to run again)
    and ends (the state then). Returns the ids that were written, each with its state.
    """
    jobs, attempts = models.jobs, models.attempts
    ended = rows(
        "ended",
        ids=Uuid(),
        claim_numbers=Integer(),
        consumed=Integer(),
        outcomes=Text(),
        errors=Text(),
        reasons=Text(),
        delays=Double(),
        ends=Text(),
    )
    written = _write_ends(jobs, ended, retention).cte("written")
    kept: dict[str, ColumnElement[Any]] = {
        "job_id": written.c.id,
        "claim": written.c.claims,
        "worker_id": bindparam("owner", type_=Uuid()),
        "started_at": written.c.claimed_at,
        "finished_at": func.clock_timestamp(),
        "outcome": written.c.outcomes,
        "error": written.c.errors,
    }
    attempted = select(*kept.values()).where(written.c.outcomes.is_not(None))
    keeping = insert(attempts).from_select(list(kept), attempted).cte("kept")
    return select(written.c.id, written.c.state).add_cte(keeping)


def _write_ends(jobs: Table, ended: TableValuedAlias, retention: Retention) -> Update:
    consumes = ended.c.consumed > 0
    over = ended.c.delays.is_(None) | (
        consumes & (jobs.c.attempts + ended.c.consumed >= jobs.c.max_attempts)
    )
    unwanted = jobs.c.cancel_requested_at.is_not(None)
    final = over | unwanted
    dead = ended.c.ends == literal_column(f"'{JobState.DEAD}'")
    own_reason = case((~dead, ended.c.reasons))
    return (
        update(jobs)
        .where(
            _among(jobs),
            jobs.c.id == ended.c.ids,
            jobs.c.claims == ended.c.claim_numbers,
            _fence(jobs),
        )
        .values(
            state=case(
                (unwanted, literal_column(f"'{JobState.CANCELLED}'")),
                (over, ended.c.ends),
                (ended.c.delays > 0, literal_column(f"'{JobState.SCHEDULED}'")),
                else_=literal_column(f"'{JobState.QUEUED}'"),
            ),
            attempts=jobs.c.attempts + ended.c.consumed,
            run_at=case(
                (final, jobs.c.run_at), else_=func.clock_timestamp() + ended.c.delays * SECOND
            ),
            finished_at=case((final, func.clock_timestamp())),
            keep_until=case(
                (over & dead & ~unwanted, keep_until(jobs, retention, JobState.DEAD)),
                (final, keep_until(jobs, retention, JobState.CANCELLED)),
            ),
            worker_id=case((final, jobs.c.worker_id)),
            reason=case(
                (unwanted, func.coalesce(jobs.c.reason, own_reason)),
                (over | ~consumes, ended.c.reasons),
            ),
            error=func.coalesce(ended.c.errors, jobs.c.error),
        )
        .returning(
            jobs.c.id,
            jobs.c.claims,
            jobs.c.claimed_at,
            jobs.c.state,
            ended.c.outcomes,
            ended.c.errors,
        )
    )


def to_be_committed(finish: Update | Select[Any] | Select[Any, Any], within: float) -> Executable:
    """Return a finish after which PostgreSQL waits for the COMMIT, and nothing else, ``within`` seconds.

    A connection that falls silent in between would keep the row locked until TCP gives up, after hours.
    """
    limit = func.set_config(
        literal_column("'idle_in_transaction_session_timeout'"),
        literal_column(f"'{within * 1000:.0f}'"),
        true(),
    )
    if isinstance(finish, Update):
        return finish.returning(limit)
    return finish.add_columns(limit)


def release_jobs(models: Models, retention: Retention) -> Update:
    """Put jobs back into their queues; no attempt is consumed.

    Parameters: owner, ids and claim_numbers (arrays). Returns the queues of the released jobs.
    """
    jobs = models.jobs
    unwanted = jobs.c.cancel_requested_at.is_not(None)
    left = rows("left_jobs", ids=Uuid(), claim_numbers=Integer())
    return (
        update(jobs)
        .where(
            _among(jobs),
            jobs.c.id == left.c.ids,
            jobs.c.claims == left.c.claim_numbers,
            _fence(jobs),
        )
        .values(
            state=case(
                (unwanted, literal_column(f"'{JobState.CANCELLED}'")),
                else_=literal_column(f"'{JobState.QUEUED}'"),
            ),
            finished_at=case((unwanted, func.clock_timestamp())),
            keep_until=case((unwanted, keep_until(jobs, retention, JobState.CANCELLED))),
            worker_id=null(),
            claimed_at=null(),
        )
        .returning(jobs.c.queue)
    )


def hold_claim(models: Models) -> Select[Any]:
    """Lock the row of a running job against a takeover. Parameters: job_id, claim_number, owner.

    Returns its id; no row if it is not this claim's any more.
    """
    jobs = models.jobs
    return (
        select(jobs.c.id)
        .where(
            jobs.c.id == bindparam("job_id", type_=Uuid()),
            jobs.c.claims == bindparam("claim_number", type_=Integer()),
            _fence(jobs),
        )
        .with_for_update(read=True)
    )


def _claimed_together(jobs: Table) -> tuple[ColumnElement[bool], ...]:
    claims = bindparam("claim_number", type_=Integer())
    return _among(jobs), jobs.c.claims == claims, _fence(jobs)


def _among(jobs: Table) -> ColumnElement[bool]:
    return jobs.c.id == any_(array("ids", Uuid()))


def _fence(jobs: Table) -> ColumnElement[bool]:
    return and_(jobs.c.worker_id == bindparam("owner", type_=Uuid()), jobs.c.finished_at.is_(None))
