"""The jobs that a worker holds: claimed, and not yet written off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from typing import Any
from uuid import UUID

from soniq_sa.context import CancelFlag, JobContext, JobTransaction
from soniq_sa.outcome import Outcome
from soniq_sa.redaction import DEFAULT_REDACTION, Redaction
from soniq_sa.retrying import Retrying

_DEFAULT = Retrying()


class Verdict(Enum):
    """Why a running handler is being cancelled."""

    TIMED_OUT = "timed out"
    LOST = "lost"
    RELEASED = "released"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class JobDesk:
    """Where running jobs turn to with what they ask of their worker."""

    report: Callable[[HeldJob, float, float | None, str | None], None]
    transaction: Callable[[HeldJob], JobTransaction]


@dataclass(slots=True, eq=False)
class HeldJob:
    """A claimed job. The fence is ``(id, claims, worker_id)``, as they were at the claim.

    asked_at: When its claim was sent, by the clock of the loop. What is left of its lifetime counts from
    there: the answer may have waited for handlers, and a job must not begin after its end. crashes: In
    how many it took part; told of suspects only, see `soniq_sa.runtime.suspects`. left_thread: Done when
    the thread ends in which its handler goes on, although it was cancelled.
    """

    worker_id: UUID
    asked_at: float
    id: UUID
    task: str
    queue: str
    priority: int
    run_at: datetime
    args: str = field(repr=False)
    attempts: int
    max_attempts: int
    claims: int
    created_at: datetime
    timeout: float | None = None
    seconds_left: float | None = None
    tags: str | None = None
    headers: str | None = field(default=None, repr=False)
    crashes: int = 0
    retrying: Retrying = _DEFAULT
    redaction: Redaction = field(default=DEFAULT_REDACTION, repr=False)
    expires: float | None = None
    cancel_flag: CancelFlag = field(default_factory=CancelFlag)
    running: asyncio.Task[None] | None = None
    deadline: float | None = None
    verdict: Verdict | None = None
    in_session: bool = False
    reported: bool = False
    left_thread: asyncio.Future[None] | None = None
    outcome: Outcome | None = None

    def __post_init__(self) -> None:
        if self.run_at.tzinfo is None or self.created_at.tzinfo is None:
            self.run_at, self.created_at = _aware(self.run_at), _aware(self.created_at)
        if self.seconds_left is not None:
            self.expires = self.asked_at + self.seconds_left

    def context(self, desk: JobDesk) -> JobContext:
        """Return what the handler sees of the job."""
        return JobContext(
            job_id=self.id,
            task=self.task,
            queue=self.queue,
            attempt=self.attempt,
            max_attempts=self.max_attempts,
            worker_id=self.worker_id,
            run_at=self.run_at,
            created_at=self.created_at,
            tags=tuple(json.loads(self.tags or "[]") or ()),
            headers=json.loads(self.headers or "{}") or {},
            cancel_flag=self.cancel_flag,
            report=partial(desk.report, self),
            open_transaction=partial(desk.transaction, self),
        )

    def leave_thread(self, ended: asyncio.Future[None]) -> None:
        """Note that the handler goes on in a thread, until ``ended`` is done."""
        self.left_thread = ended

    @property
    def attempt(self) -> int:
        """Return the number of this attempt, from 1."""
        return self.attempts + 1


def _aware(moment: datetime) -> datetime:
    """Return a time with its zone: asyncpg gives infinite ones without."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@dataclass(slots=True)
class HeldJobs:
    """Every job between its claim and the commit of its end.

    sent: How many of them have ended, and their ends are on their way: if the worker dies now, PostgreSQL
    commits them all the same.
    """

    by_fence: dict[tuple[UUID, int], HeldJob] = field(default_factory=dict)
    sent: int = 0

    def add(self, job: HeldJob) -> None:
        """Note a claimed job."""
        self.by_fence[job.id, job.claims] = job

    def has_claim(self, job: HeldJob) -> bool:
        """Tell whether the claim of ``job`` is held already: the server forgot it, and it was made again."""
        held = self.by_fence.get((job.id, job.claims))
        return held is not None and held.worker_id == job.worker_id

    def remove(self, job: HeldJob) -> None:
        """Forget a job whose end is committed, or that belongs to somebody else."""
        self.by_fence.pop((job.id, job.claims), None)

    def __len__(self) -> int:
        return len(self.by_fence)

    def __contains__(self, fence: Any) -> bool:
        return fence in self.by_fence

    def __iter__(self) -> Any:
        return iter(list(self.by_fence.values()))
