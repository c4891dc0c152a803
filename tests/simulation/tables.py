"""The tables of soniq-sa in memory, and the transactions that change them.

As in PostgreSQL at READ COMMITTED: a statement sees what is committed, and what its own transaction
wrote. A row that a transaction wrote is locked until it ends: another writer of it waits, and a
statement with SKIP LOCKED passes over it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)
FINAL = ("done", "cancelled", "dead")


def moment(seconds: float) -> datetime:
    """Return a time of the database."""
    return EPOCH + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Job:
    """A row of the job table; times are seconds since `EPOCH`."""

    id: UUID
    task: str
    queue: str = "default"
    state: str = "queued"
    priority: int = 100
    run_at: float = 0.0
    args: str = "{}"
    attempts: int = 0
    max_attempts: int = 6
    claims: int = 0
    crashes: int = 0
    worker_id: UUID | None = None
    claimed_at: float | None = None
    finished_at: float | None = None
    keep_until: float | None = None
    expires_at: float | None = None
    cancel_requested_at: float | None = None
    result: str | None = None
    reason: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Worker:
    """A row of the worker table."""

    id: UUID
    lock_key: int | None
    beat_at: float
    expires_at: float


@dataclass(frozen=True)
class Attempt:
    """A row of the history."""

    job_id: UUID
    claim: int
    worker_id: UUID | None
    outcome: str


class Locked(Exception):  # noqa: N818 - a state, not an error of the program
    """Say that a statement has to wait for the end of another transaction."""

    def __init__(self, holder: Transaction) -> None:
        super().__init__()
        self.holder = holder


@dataclass
class Tables:
    """What is committed.

    on_commit: Is told of each transaction that changed something, before it is taken over.
    """

    jobs: dict[UUID, Job] = field(default_factory=dict)
    workers: dict[UUID, Worker] = field(default_factory=dict)
    attempts: dict[tuple[UUID, int], Attempt] = field(default_factory=dict)
    effects: list[UUID] = field(default_factory=list)
    holders: dict[UUID, Transaction] = field(default_factory=dict)
    held_keys: dict[int, object] = field(default_factory=dict)
    started_at: float = 0.0
    on_commit: Callable[[Transaction], None] = lambda _: None


@dataclass(eq=False)
class Transaction:
    """What one transaction has written, and what its statement sees.

    now: The time at which its statement runs. durable: Whether the commit waits for the disk.
    """

    tables: Tables
    now: float = 0.0
    durable: bool = True
    changes: dict[UUID, Job | None] = field(default_factory=dict)
    workers: dict[UUID, Worker | None] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    effects: list[UUID] = field(default_factory=list)
    said: list[tuple[str, str]] = field(default_factory=list)
    shared: set[UUID] = field(default_factory=set)
    ends: list[Callable[[], None]] = field(default_factory=list)

    def job(self, job_id: UUID) -> Job | None:
        """Return a row as this transaction sees it."""
        if job_id in self.changes:
            return self.changes[job_id]
        return self.tables.jobs.get(job_id)

    def all_jobs(self) -> Iterator[Job]:
        """Return every row as this transaction sees it, by id."""
        for job_id in sorted({*self.tables.jobs, *self.changes}, key=lambda one: one.int):
            if (job := self.job(job_id)) is not None:
                yield job

    def all_workers(self) -> Iterator[Worker]:
        """Return the living workers."""
        yield from self.tables.workers.values()

    def free(self, jobs: Iterable[Job]) -> list[Job]:
        """Return those that nobody else has locked, as SKIP LOCKED does."""
        return [job for job in jobs if self.tables.holders.get(job.id, self) is self]

    def own(self, jobs: Iterable[Job]) -> list[Job]:
        """Return all of them; raise `Locked` if another transaction has one."""
        found = list(jobs)
        for job in found:
            holder = self.tables.holders.get(job.id, self)
            if holder is not self:
                raise Locked(holder)
        return found

    def set(self, job: Job, **values: Any) -> Job:
        """Write a row."""
        changed = replace(job, **values)
        self.changes[job.id] = changed
        self.tables.holders[job.id] = self
        return changed

    def add(self, job: Job) -> None:
        """Insert a row."""
        self.changes[job.id] = job

    def delete(self, job: Job) -> None:
        """Delete a row, and what is kept of it."""
        self.changes[job.id] = None
        self.tables.holders[job.id] = self

    def lock(self, job: Job) -> None:
        """Lock a row without a change."""
        self.shared.add(job.id)
        self.tables.holders[job.id] = self

    def commit(self) -> None:
        """Make what was written visible, and let go of the rows."""
        tables = self.tables
        tables.on_commit(self)
        for job_id, job in self.changes.items():
            if job is not None:
                tables.jobs[job_id] = job
                continue
            tables.jobs.pop(job_id, None)
            for key in [key for key in tables.attempts if key[0] == job_id]:
                del tables.attempts[key]
        for worker_id, worker in self.workers.items():
            if worker is None:
                tables.workers.pop(worker_id, None)
            else:
                tables.workers[worker_id] = worker
        for attempt in self.attempts:
            assert (attempt.job_id, attempt.claim) not in tables.attempts, attempt
            tables.attempts[attempt.job_id, attempt.claim] = attempt
        tables.effects += self.effects
        self.end()

    def end(self) -> None:
        """Let go of the rows; without a commit before, nothing has happened."""
        for job_id in {*self.changes, *self.shared}:
            if self.tables.holders.get(job_id) is self:
                del self.tables.holders[job_id]
        ends, self.ends = self.ends, []
        for wake in ends:
            wake()
