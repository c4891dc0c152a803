"""What any worker does for all: due jobs, dead workers, signs of life."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Delete,
    Double,
    Executable,
    Integer,
    Table,
    Text,
    Update,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    column,
    delete,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    table,
    update,
)
from sqlalchemy.dialects.postgresql import OID, Insert, insert
from sqlalchemy.sql.elements import ColumnElement

from soniq_sa.models.roles import Models
from soniq_sa.retention import Retention
from soniq_sa.statements.look import look, seconds_to_next
from soniq_sa.statements.retention import keep_until
from soniq_sa.statements.rows import SECOND, rows, state_is
from soniq_sa.states import MAX_CRASHES, AttemptOutcome, JobState, Reason

COMING_BACK = 5.0
"""Seconds for which nobody is taken for dead after an outage: the others may be on their way back."""


def promote_due(models: Models) -> Update:
    """Queue the scheduled jobs whose time has come, up to ``limit``. Returns their queues."""
    jobs = models.jobs
    due = (
        select(jobs.c.id)
        .where(state_is(jobs, JobState.SCHEDULED), jobs.c.run_at <= func.now())
        .order_by(jobs.c.run_at)
        .limit(bindparam("limit", type_=Integer()))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    return (
        update(jobs)
        .where(jobs.c.id == any_(func.array(select(due.c.id).scalar_subquery())))
        .values(state=literal_column(f"'{JobState.QUEUED}'"))
        .returning(jobs.c.queue)
    )


def next_due(models: Models) -> Executable:
    """Return the seconds until the next scheduled job is due; None if there is none."""
    return select(seconds_to_next(models.jobs))


def owned_jobs(models: Models, *, unlocked: bool = False) -> Executable:
    """Return id and claims of the jobs that the table gives to ``owner``, and whether to cancel them.

    unlocked: Only of those whose rows nobody has locked.
    """
    jobs = models.jobs
    cancelled = jobs.c.cancel_requested_at.is_not(None).label("cancelled")
    owned = select(jobs.c.id, jobs.c.claims, cancelled).where(
        state_is(jobs, JobState.PROCESSING),
        jobs.c.worker_id == bindparam("owner", type_=Uuid()),
    )
    return owned.with_for_update(skip_locked=True) if unlocked else owned


def register_worker(models: Models) -> Insert:
    """Add a worker, if it is not there. Parameters: owner, worker_name, lock, lease (seconds).

    May be repeated after a lost answer.
    """
    values = {
        "id": bindparam("owner", type_=Uuid()),
        "name": bindparam("worker_name", type_=Text()),
        "lock_key": bindparam("lock", type_=BigInteger()),
        "expires_at": _lease_end(),
    }
    again = {name: values[name] for name in ("lock_key", "expires_at")}
    statement = insert(models.workers).values(values)
    return statement.on_conflict_do_update(index_elements=["id"], set_=again)


def beat(models: Models, *, looking: bool = False) -> Update:
    """Renew a worker's lease. Parameters: owner, lock, lease (seconds), channel, beat_number.

    Returns how many other workers there are, or no row if the worker was taken for dead. Says the
    number on the worker's own channel, so that its listener knows that it hears. looking: Return
    also what there is to do: the columns of `look`.
    """
    workers = models.workers
    others = workers.alias("others")
    peers = select(func.count()).select_from(others).where(others.c.id != workers.c.id)
    return (
        update(workers)
        .where(workers.c.id == bindparam("owner", type_=Uuid()))
        .values(
            beat_at=func.clock_timestamp(),
            expires_at=_lease_end(),
            lock_key=bindparam("lock", type_=BigInteger()),
        )
        .returning(
            peers.scalar_subquery().label("peers"),
            func.pg_notify(
                bindparam("channel", type_=Text()), bindparam("beat_number", type_=Text())
            ),
            *(look(models) if looking else ()),
        )
    )


def extend_lease(models: Models) -> Update:
    """Renew the lease of a worker that cannot do so itself. Parameters: owner, lease (seconds).

    Returns its id, or no row if it was taken for dead. ``beat_at`` and ``lock_key`` stay as they are: the
    lock is still held by the connection of the worker, or it is dead after all.
    """
    workers = models.workers
    return (
        update(workers)
        .where(workers.c.id == bindparam("owner", type_=Uuid()))
        .values(expires_at=_lease_end())
        .returning(workers.c.id)
    )


def remove_worker(models: Models) -> Delete:
    """Remove a worker that leaves. Parameter: owner."""
    workers = models.workers
    return delete(workers).where(workers.c.id == bindparam("owner", type_=Uuid()))


def try_lock() -> Executable:
    """Take the session's advisory lock ``lock``; tell whether that worked."""
    return select(func.pg_try_advisory_lock(bindparam("lock", type_=BigInteger())).label("locked"))


def limit_waits() -> Executable:
    """Have PostgreSQL cut short what this session waits for. Parameters: lock_wait, duration (seconds)."""
    return select(
        *(
            func.set_config(
                name, func.concat(bindparam(value, type_=Double()) * 1000, "ms"), false()
            )
            for name, value in (("lock_timeout", "lock_wait"), ("statement_timeout", "duration"))
        )
    )


def silent_workers(models: Models) -> Executable:
    """Return id, lock_key and whether the lease has ended, of the others that seem to be dead.

    Those are the workers whose lease has ended, and those that do not hold their lock. Parameter:
    owner. A lock is not missed until its worker has beaten once since the server started, because
    a restart takes every lock away; and leases that ended meanwhile are given a moment.
    """
    workers = models.workers
    expired = _expired(workers)
    unlocked = and_(
        workers.c.lock_key.is_not(None),
        workers.c.beat_at > func.pg_postmaster_start_time(),
        workers.c.lock_key.not_in(_held_locks()),
    )
    return select(workers.c.id, workers.c.lock_key, expired.label("expired")).where(
        workers.c.id != bindparam("owner", type_=Uuid()), or_(expired, unlocked)
    )


def _held_locks() -> Any:
    """Return the one-key advisory locks of this database; see ``pg_locks`` on how a key is split."""
    locks = table(
        "pg_locks",
        column("locktype", Text()),
        column("database", OID()),
        column("classid", OID()),
        column("objid", OID()),
        column("objsubid", Integer()),
        column("granted", Boolean()),
    )
    databases = table("pg_database", column("oid", OID()), column("datname", Text()))
    here = select(databases.c.oid).where(databases.c.datname == func.current_database())
    key = (
        locks.c.classid.cast(BigInteger)
        .op("<<")(literal_column("32"))
        .op("|")(locks.c.objid.cast(BigInteger))
    )
    return select(key).where(
        locks.c.locktype == literal_column("'advisory'"),
        locks.c.objsubid == literal_column("1"),
        locks.c.granted,
        locks.c.database == here.scalar_subquery(),
    )


def rescue_jobs(models: Models, retention: Retention) -> Executable:
    """Remove the workers that are dead, and put their jobs back into the queues.

    Dead are those whose lease has ended, and those named by ``dead_ids`` and ``dead_keys`` (arrays)
    if their lock_key has not changed. Parameter: owner, which is spared. A job that has seen
    `MAX_CRASHES` crashes is dead itself. Returns of each job its
    id, task, queue and new state.
    """
    workers = models.workers
    named = rows("named", dead_ids=Uuid(), dead_keys=BigInteger())
    unlocked = (
        select(named.c.dead_ids)
        .where(named.c.dead_ids == workers.c.id, named.c.dead_keys == workers.c.lock_key)
        .correlate(workers)
        .exists()
    )
    dead = (
        select(workers.c.id)
        .where(
            workers.c.id != bindparam("owner", type_=Uuid()),
            or_(_expired(workers), unlocked),
        )
        .with_for_update(skip_locked=True)
        .cte("dead")
    )
    gone = delete(workers).where(workers.c.id.in_(select(dead.c.id))).returning(workers.c.id)
    lost = models.jobs.c.worker_id.in_(select(gone.cte("gone").c.id))
    return _requeue_crashed(models, retention, lost)


def rescue_orphans(models: Models, retention: Retention) -> Executable:
    """Put back the running jobs whose worker is not in the worker table; as `rescue_jobs`."""
    jobs, workers = models.jobs, models.workers
    known = select(workers.c.id).where(workers.c.id == jobs.c.worker_id).correlate(jobs).exists()
    return _requeue_crashed(models, retention, ~known)


def _requeue_crashed(models: Models, retention: Retention, lost: ColumnElement[bool]) -> Executable:
    put_back = _put_back(models.jobs, retention, lost).cte("put_back")
    kept = insert(models.attempts).from_select(
        ["job_id", "claim", "worker_id", "started_at", "outcome"],
        select(
            put_back.c.id,
            put_back.c.claims,
            put_back.c.lost_worker,
            put_back.c.claimed_at,
            literal_column(f"'{AttemptOutcome.CRASHED}'"),
        ),
    )
    told = select(put_back.c.id, put_back.c.task, put_back.c.queue, put_back.c.state)
    return told.add_cte(kept.cte("kept"))


def _put_back(jobs: Table, retention: Retention, lost: ColumnElement[bool]) -> Update:
    found = (
        select(jobs.c.id, jobs.c.worker_id)
        .where(state_is(jobs, JobState.PROCESSING), lost)
        .with_for_update(skip_locked=True, of=jobs)
        .cte("found")
    )
    hopeless = jobs.c.crashes + 1 >= MAX_CRASHES
    unwanted = jobs.c.cancel_requested_at.is_not(None)
    return (
        update(jobs)
        .where(
            jobs.c.id == any_(func.array(select(found.c.id).scalar_subquery())),
            jobs.c.id == found.c.id,
        )
        .values(
            state=case(
                (unwanted, literal_column(f"'{JobState.CANCELLED}'")),
                (hopeless, literal_column(f"'{JobState.DEAD}'")),
                else_=literal_column(f"'{JobState.QUEUED}'"),
            ),
            crashes=jobs.c.crashes + 1,
            worker_id=null(),
            finished_at=case((unwanted | hopeless, func.clock_timestamp())),
            keep_until=case(
                (unwanted, keep_until(jobs, retention, JobState.CANCELLED)),
                (hopeless, keep_until(jobs, retention, JobState.DEAD)),
            ),
            reason=case(
                (unwanted, jobs.c.reason),
                (hopeless, literal_column(f"'{Reason.CRASHED_WORKER}'")),
            ),
            error=case((hopeless, literal_column("'The worker died while it ran this job.'"))),
        )
        .returning(
            jobs.c.id,
            jobs.c.task,
            jobs.c.claims,
            jobs.c.queue,
            jobs.c.state,
            jobs.c.claimed_at,
            found.c.worker_id.label("lost_worker"),
        )
    )


def _expired(workers: Table) -> ColumnElement[bool]:
    back = func.pg_postmaster_start_time() + literal_column(str(COMING_BACK)) * SECOND
    return func.greatest(workers.c.expires_at, back) < func.clock_timestamp()


def _lease_end() -> ColumnElement[Any]:
    return func.clock_timestamp() + bindparam("lease", type_=Double()) * SECOND
