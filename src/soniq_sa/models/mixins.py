"""The tables of soniq-sa, as mixins for the user's declarative base.

Only plain SQLAlchemy types are used: a type of ours would be an import in the user's migrations.
Names of indexes and checks end in a version, because Alembic does not see a changed predicate.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, MappedColumn, mapped_column
from sqlalchemy.sql.naming import conv
from sqlalchemy.types import TypeEngine

from soniq_sa.ids import uuid7
from soniq_sa.models.mixin import TableMixin, id_of_wrong_order
from soniq_sa.models.roles import Role
from soniq_sa.options import DEFAULT_PRIORITY, DEFAULT_QUEUE, DEFAULT_RETRIES
from soniq_sa.states import SUSPECT_CRASHES, JobState

_ADDED = "soniq_sa.added"


def _column(type_: Any, *, default: Any = None, **options: Any) -> MappedColumn[Any]:
    if default is not None:
        options |= {"insert_default": default, "server_default": text(_literal(default))}
    options.setdefault("nullable", False)
    return mapped_column(type_, sort_order=-100, **options)


def added_column(type_: TypeEngine[Any]) -> MappedColumn[Any]:
    """Return a column that this release adds to a table which earlier releases have made.

    It is nullable and has no default. An INSERT that does not set it leaves it out, and a SELECT of
    the model does not load it: so this release also runs before its migration does. In the release
    after the next it becomes an ordinary column.
    """
    column = _column(type_.evaluates_none(), nullable=True, deferred=True)
    column.column.info[_ADDED] = True
    return column


def is_added(column: Column[Any]) -> bool:
    """Tell whether this release has to get along without ``column``."""
    return _ADDED in column.info


def _set_later(type_: TypeEngine[Any]) -> MappedColumn[Any]:
    return _column(type_.evaluates_none(), nullable=True)


def _json() -> TypeEngine[Any]:
    return JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def _literal(value: str | int) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def _time(**options: Any) -> MappedColumn[Any]:
    return _column(DateTime(timezone=True), **options)


class JobMixin(TableMixin):
    """The table of the jobs, ``soniq_jobs``: one row, one piece of work.

    Put it before the declarative base, and add columns or relationships as in any other model::

        class Job(JobMixin, Base):
            tenant_id: Mapped[int | None] = mapped_column(ForeignKey("tenants.id"))

    ``__tablename__`` and ``__table_args__`` may be overridden.

    id: Made where the job is enqueued: a UUID version 7.
    task, queue, priority, timeout, tags, headers: As given at enqueue.
    state: See `JobState`.
    run_at: The earliest time it may run, or may run again.
    args: The arguments, by name.
    attempts: How many attempts are over.
    max_attempts: Retries + 1.
    claims: How often a worker took it; every write of a worker names the number of its claim.
    crashes: How many workers died with it; the third leaves it dead.
    worker_id, claimed_at: Which worker has it, or ended it, and since when.
    finished_at: When it ended.
    keep_until: When its row may be deleted; NULL: never, or not yet known.
    expires_at: It is not begun after this time.
    result: What the handler returned.
    cancel_requested_at: When a job that runs was to be cancelled.
    replay_of, replays: Of which dead letter it is a replay; how often it was replayed itself.
    reason: Why it is dead, was cancelled, or is snoozed.
    error: The error of the last attempt that did not succeed.
    created_at: The start of the transaction that enqueued it.
    """

    __tablename__: Any = "soniq_jobs"
    soniq_role = Role.JOB

    if TYPE_CHECKING:
        id: Mapped[uuid.UUID]
        task: Mapped[str]
        queue: Mapped[str]
        state: Mapped[str]
        priority: Mapped[int]
        run_at: Mapped[datetime]
        args: Mapped[dict[str, Any]]
        attempts: Mapped[int]
        max_attempts: Mapped[int]
        claims: Mapped[int]
        crashes: Mapped[int]
        worker_id: Mapped[uuid.UUID | None]
        claimed_at: Mapped[datetime | None]
        finished_at: Mapped[datetime | None]
        keep_until: Mapped[datetime | None]
        expires_at: Mapped[datetime | None]
        timeout: Mapped[float | None]
        tags: Mapped[list[str] | None]
        headers: Mapped[dict[str, str] | None]
        result: Mapped[Any]
        cancel_requested_at: Mapped[datetime | None]
        replay_of: Mapped[uuid.UUID | None]
        replays: Mapped[int | None]
        reason: Mapped[str | None]
        error: Mapped[str | None]
        created_at: Mapped[datetime]
    else:
        id = id_of_wrong_order()

    @classmethod
    def soniq_columns(cls) -> dict[str, MappedColumn[Any]]:
        """Return the columns of the job table; those that a worker sets are no part of an INSERT."""
        return {
            "id": _column(Uuid(), primary_key=True, insert_default=uuid7),
            "task": _column(Text()),
            "queue": _column(Text(), default=DEFAULT_QUEUE),
            "state": _column(Text(), default=JobState.QUEUED.value),
            "priority": _column(SmallInteger(), default=DEFAULT_PRIORITY),
            "run_at": _time(server_default=func.now()),
            "args": _column(_json(), insert_default=dict, server_default=text("'{}'")),
            "attempts": _column(Integer(), default=0),
            "max_attempts": _column(Integer(), default=DEFAULT_RETRIES + 1),
            "claims": _column(Integer(), default=0),
            "crashes": _column(Integer(), default=0),
            "worker_id": _set_later(Uuid()),
            "claimed_at": _set_later(DateTime(timezone=True)),
            "finished_at": _set_later(DateTime(timezone=True)),
            "keep_until": _set_later(DateTime(timezone=True)),
            "expires_at": _time(nullable=True),
            "timeout": _column(Double(), nullable=True),
            "tags": _column(_json(), nullable=True),
            "headers": _column(_json(), nullable=True),
            "result": _set_later(_json()),
            "cancel_requested_at": _set_later(DateTime(timezone=True)),
            "replay_of": _set_later(Uuid()),
            "replays": _set_later(Integer()),
            "reason": _set_later(Text()),
            "error": _set_later(Text()),
            "created_at": _time(server_default=func.now()),
        }

    @classmethod
    def soniq_complete(cls, table: Table) -> None:
        """Add the state check and the partial indexes."""
        states = ", ".join(f"'{state}'" for state in JobState)
        columns = table.c
        CheckConstraint(f"state IN ({states})", name=conv(f"ck_{table.name}_state_1"), table=table)
        _partial_index(
            f"ix_{table.name}_claim_1",
            [columns.queue, columns.priority, columns.run_at, columns.id],
            f"state = '{JobState.QUEUED}'",
        )
        _partial_index(
            f"ix_{table.name}_suspect_1",
            [columns.queue, columns.run_at, columns.id],
            f"state = '{JobState.QUEUED}' AND crashes >= {SUSPECT_CRASHES}",
        )
        _partial_index(
            f"ix_{table.name}_due_1", [columns.run_at], f"state = '{JobState.SCHEDULED}'"
        )
        _partial_index(
            f"ix_{table.name}_owner_1", [columns.worker_id], f"state = '{JobState.PROCESSING}'"
        )
        _partial_index(
            f"ix_{table.name}_dead_1",
            [columns.finished_at, columns.id],
            f"state = '{JobState.DEAD}'",
        )
        _partial_index(f"ix_{table.name}_prune_1", [columns.keep_until], "keep_until IS NOT NULL")


def _partial_index(name: str, columns: list[Any], condition: str) -> None:
    where = text(condition)
    Index(conv(name), *columns, postgresql_where=where, sqlite_where=where)


class AttemptMixin(TableMixin):
    """The table of the attempts that did not succeed, ``soniq_attempts``.

    job_id, claim: The job, and its ``claims`` at that time.
    worker_id, started_at, finished_at: Who ran it, and from when to when.
    outcome: What became of it, such as ``failed`` or ``timed out``.
    error: The error, with its traceback.
    """

    __tablename__: Any = "soniq_attempts"
    soniq_role = Role.ATTEMPT

    if TYPE_CHECKING:
        job_id: Mapped[uuid.UUID]
        claim: Mapped[int]
        worker_id: Mapped[uuid.UUID | None]
        started_at: Mapped[datetime | None]
        finished_at: Mapped[datetime]
        outcome: Mapped[str]
        error: Mapped[str | None]
    else:
        job_id = id_of_wrong_order()

    @classmethod
    def soniq_columns(cls) -> dict[str, MappedColumn[Any]]:
        """Return the columns of the attempt table."""
        return {
            "job_id": _column(Uuid(), primary_key=True),
            "claim": _column(Integer(), primary_key=True, autoincrement=False),
            "worker_id": _column(Uuid(), nullable=True),
            "started_at": _time(nullable=True),
            "finished_at": _time(server_default=func.now()),
            "outcome": _column(Text()),
            "error": _column(Text(), nullable=True),
        }


class ProgressMixin(TableMixin):
    """The table of what running jobs say of their progress, ``soniq_progress``.

    A table of its own: a handler in a session of isolation level REPEATABLE READ could not write the
    end of its job if the row of the job had been changed meanwhile.

    job_id, claim: The job, and its ``claims`` at that time.
    done, total, note, updated_at: As in `Progress`.
    """

    __tablename__: Any = "soniq_progress"
    soniq_role = Role.PROGRESS

    if TYPE_CHECKING:
        job_id: Mapped[uuid.UUID]
        claim: Mapped[int]
        done: Mapped[float]
        total: Mapped[float | None]
        note: Mapped[str | None]
        updated_at: Mapped[datetime]
    else:
        job_id = id_of_wrong_order()

    @classmethod
    def soniq_columns(cls) -> dict[str, MappedColumn[Any]]:
        """Return the columns of the progress table."""
        return {
            "job_id": _column(Uuid(), primary_key=True),
            "claim": _column(Integer()),
            "done": _column(Double()),
            "total": _column(Double(), nullable=True),
            "note": _column(Text(), nullable=True),
            "updated_at": _time(server_default=func.now()),
        }


class WorkerMixin(TableMixin):
    """The table of the living workers, ``soniq_workers``: one row while a worker's lease runs.

    id, name: A random id, and the machine and process for people.
    lock_key: The session advisory lock that the worker holds; NULL where there is none.
    started_at, beat_at: When it started, and when it last showed a sign of life.
    expires_at: When it counts as dead.
    """

    __tablename__: Any = "soniq_workers"
    soniq_role = Role.WORKER

    if TYPE_CHECKING:
        id: Mapped[uuid.UUID]
        name: Mapped[str]
        lock_key: Mapped[int | None]
        started_at: Mapped[datetime]
        beat_at: Mapped[datetime]
        expires_at: Mapped[datetime]
    else:
        id = id_of_wrong_order()

    @classmethod
    def soniq_columns(cls) -> dict[str, MappedColumn[Any]]:
        """Return the columns of the worker table."""
        return {
            "id": _column(Uuid(), primary_key=True),
            "name": _column(Text()),
            "lock_key": _column(BigInteger(), nullable=True),
            "started_at": _time(server_default=func.now()),
            "beat_at": _time(server_default=func.now()),
            "expires_at": _time(),
        }
