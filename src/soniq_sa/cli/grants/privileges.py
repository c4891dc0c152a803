"""Which privileges each role needs on which table: as many as its statements use, and no more.

Where an INSERT or UPDATE names columns, the privilege is for these columns. A SELECT of the producer is
what ``RETURNING`` and ``WHERE`` of its own statements read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Column, Table

from soniq_sa.cli.grants.roles import GrantRole
from soniq_sa.models.mixins import JobMixin
from soniq_sa.models.roles import Models
from soniq_sa.statements.dead import LEFT_OUT
from soniq_sa.statements.prune import references_to

_OURS = frozenset(JobMixin.soniq_columns())
_FRESH = frozenset({
    "id", "task", "queue", "state", "priority", "run_at", "args", "attempts", "max_attempts", "claims",
    "crashes", "expires_at", "timeout", "tags", "headers",
})  # fmt: skip
_READ_BACK = frozenset({"id", "state", "run_at", "created_at"})
_COMPLETED = frozenset({"args", "state", "run_at", "expires_at"})
_RUN = frozenset({
    "state", "run_at", "attempts", "claims", "crashes", "worker_id", "claimed_at", "finished_at",
    "keep_until", "result", "reason", "error",
})  # fmt: skip
_MAINTAINED = frozenset({
    "state", "priority", "run_at", "finished_at", "keep_until", "cancel_requested_at", "reason", "tags",
    "replays",
})  # fmt: skip
_HIDDEN_OF_JOBS = frozenset({"args", "headers", "result", "error"})
_HIDDEN_OF_ATTEMPTS = frozenset({"error"})
_HIDDEN_OF_PROGRESS = frozenset({"note"})


@dataclass(frozen=True, slots=True)
class Privilege:
    """What one role may do with one table; ``columns``: with these alone, else with all."""

    verb: str
    table: Table
    columns: tuple[str, ...] = ()


def privileges_of(
    role: GrantRole, models: Models, shown: Iterable[str] = ()
) -> tuple[Privilege, ...]:
    """Return what ``role`` needs, beside owning the tables. ``shown``: your columns, for the viewer."""
    match role:
        case GrantRole.OWNER:
            return tuple(_referring(models))
        case GrantRole.PRODUCER:
            return tuple(_producer(models))
        case GrantRole.WORKER:
            return tuple(_worker(models))
        case GrantRole.VIEWER:
            return tuple(_viewer(models, frozenset(shown)))
        case GrantRole.MAINTAINER:
            return tuple(_maintainer(models))


def own_columns(jobs: Table) -> list[Column[object]]:
    """Return the columns of the job table that are the user's."""
    return [one for one in jobs.c if one.name not in _OURS]


def _producer(models: Models) -> Iterator[Privilege]:
    jobs = models.jobs
    written = {one.name for one in own_columns(jobs) if not _made(one)}
    read_back = {one.name for one in own_columns(jobs) if _made(one) or one.server_default}
    yield _on(jobs, "SELECT", _READ_BACK | read_back)
    yield _on(jobs, "INSERT", _FRESH | written)
    yield _on(jobs, "UPDATE", _COMPLETED | written)


def _worker(models: Models) -> Iterator[Privilege]:
    yield Privilege("SELECT", models.jobs)
    yield Privilege("DELETE", models.jobs)
    yield _on(models.jobs, "UPDATE", _RUN)
    for verb in ("SELECT", "INSERT", "DELETE"):
        yield Privilege(verb, models.attempts)
    for table in (models.progress, models.workers):
        for verb in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            yield Privilege(verb, table)
    yield from _referring(models)


def _referring(models: Models) -> Iterator[Privilege]:
    """Yield what tells that a row of the user keeps a job from being deleted."""
    for column in references_to(models.jobs):
        if column.table not in models.tables:
            yield _on(column.table, "SELECT", {column.name})


def _viewer(models: Models, shown: frozenset[str]) -> Iterator[Privilege]:
    yield _on(models.jobs, "SELECT", (_OURS - _HIDDEN_OF_JOBS) | shown)
    yield _without(models.attempts, _HIDDEN_OF_ATTEMPTS)
    yield _without(models.progress, _HIDDEN_OF_PROGRESS)
    yield Privilege("SELECT", models.workers)


def _maintainer(models: Models) -> Iterator[Privilege]:
    jobs = models.jobs
    copied = {one.name for one in jobs.c if not _made(one)} - LEFT_OUT
    yield Privilege("SELECT", jobs)
    yield Privilege("DELETE", jobs)
    yield _on(jobs, "INSERT", copied)
    yield _on(jobs, "UPDATE", _MAINTAINED)
    for table in (models.attempts, models.progress):
        yield Privilege("SELECT", table)
        yield Privilege("DELETE", table)
    yield Privilege("SELECT", models.workers)


def _made(column: Column[object]) -> bool:
    """Tell whether the database makes the values of a column by itself."""
    return column.computed is not None or column.identity is not None


def _on(table: Table, verb: str, columns: Iterable[str]) -> Privilege:
    """Return a privilege for some columns, in the order of the table."""
    chosen = frozenset(columns)
    return Privilege(verb, table, tuple(one.name for one in table.c if one.name in chosen))


def _without(table: Table, hidden: frozenset[str]) -> Privilege:
    return _on(table, "SELECT", {one.name for one in table.c} - hidden)
