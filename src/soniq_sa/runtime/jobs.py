"""The jobs that a worker holds: claimed, and not yet written off."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from soniq_sa.outcome import Outcome


class Verdict(Enum):
    """Why a running handler is being cancelled."""

    TIMED_OUT = "timed out"
    LOST = "lost"
    RELEASED = "released"


@dataclass(slots=True, eq=False)
class HeldJob:
    """A claimed job. The fence is ``(id, claims, worker_id)``, as they were at the claim."""

    worker_id: UUID
    id: UUID
    task: str
    queue: str
    priority: int
    run_at: datetime
    args: str
    attempts: int
    max_attempts: int
    claims: int
    created_at: datetime
    running: asyncio.Task[None] | None = None
    deadline: float | None = None
    verdict: Verdict | None = None
    in_session: bool = False
    outcome: Outcome | None = None

    @property
    def attempt(self) -> int:
        """Return the number of this attempt, from 1."""
        return self.attempts + 1


@dataclass(slots=True)
class HeldJobs:
    """Every job between its claim and the commit of its end."""

    by_fence: dict[tuple[UUID, int], HeldJob] = field(default_factory=dict)

    def add(self, job: HeldJob) -> None:
        """Note a claimed job."""
        self.by_fence[job.id, job.claims] = job

    def remove(self, job: HeldJob) -> None:
        """Forget a job whose end is committed, or that belongs to somebody else."""
        self.by_fence.pop((job.id, job.claims), None)

    def __len__(self) -> int:
        return len(self.by_fence)

    def __contains__(self, fence: Any) -> bool:
        return fence in self.by_fence

    def __iter__(self) -> Any:
        return iter(list(self.by_fence.values()))
