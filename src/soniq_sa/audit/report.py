"""What an audit has found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One job for which a check does not hold.

    job_id: The job.
    task: Its task name; None if it has no row.
    queue: Its queue; None if it has no row.
    state: Its state; None if it has no row.
    wrong: What is wrong with it, as a sentence about the job.
    """

    job_id: UUID
    task: str | None
    queue: str | None
    state: str | None
    wrong: str


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What one check has found.

    check: The name of the check.
    promise: What holds for every job.
    level: ``"violation"`` if a promise is broken where it does not hold, ``"warning"`` if a healthy
        system may show it as well.
    total: For how many jobs it does not hold.
    findings: The first of these jobs.
    means: What it means if there are any.
    remedy: What to do then.
    """

    check: str
    promise: str
    level: Literal["violation", "warning"]
    total: int
    findings: tuple[AuditFinding, ...]
    means: str
    remedy: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What the tables showed at one moment.

    taken_at: That moment, by the database's clock.
    states: How many jobs were looked at, by their state.
    attempts: How many attempts that did not succeed were kept.
    workers: How many workers were alive.
    results: One for each check.
    """

    taken_at: datetime
    states: Mapping[str, int]
    attempts: int
    workers: int
    results: tuple[AuditResult, ...]

    @property
    def jobs(self) -> int:
        """Return how many jobs were looked at."""
        return sum(self.states.values())

    @property
    def violations(self) -> tuple[AuditResult, ...]:
        """Return the checks that found a broken promise."""
        return self._found("violation")

    @property
    def warnings(self) -> tuple[AuditResult, ...]:
        """Return the checks that found something to know about."""
        return self._found("warning")

    @property
    def ok(self) -> bool:
        """Tell whether no promise is broken."""
        return not self.violations

    def _found(self, level: str) -> tuple[AuditResult, ...]:
        return tuple(one for one in self.results if one.total and one.level == level)
