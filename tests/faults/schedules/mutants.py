"""Defects on purpose, in the workers of the schedules only: does the checker find each of them?

A worker whose environment names one of these has it built in when it loads the application. The library
knows nothing of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Executable, Integer, bindparam, false, func, literal_column, select, true
from sqlalchemy import update as sql_update

from soniq_sa.models.roles import Models
from soniq_sa.runtime import upkeep
from soniq_sa.runtime.claimer import Claimer
from soniq_sa.statements import finish
from soniq_sa.states import JobState

MUTANT = "TEST_MUTANT"
"""The environment variable that names one."""


@dataclass(frozen=True)
class Mutant:
    """A defect.

    build_in: What makes it.
    kinds: The faults that bring it out; () for all.
    verdict: What the checker is to say.
    lease: Seconds, where the defect would not show with short leases: a worker that is taken for dead
        loses also what it has forgotten.
    """

    build_in: Callable[[], None]
    kinds: tuple[str, ...]
    verdict: str
    lease: float | None = None


def chosen() -> str | None:
    """Return the name of the mutant of this process."""
    return os.environ.get(MUTANT)


def apply() -> None:
    """Build in the defect that the environment names, if it names one."""
    name = chosen()
    if name is not None:
        MUTANTS[name].build_in()


def _finish_without_fence() -> None:
    """Write the end of a job whoever has it by now."""

    def fence(_jobs: Any) -> Any:
        return true()

    def claimed_together(jobs: Any) -> Any:
        return (finish._among(jobs),)  # noqa: SLF001 - a defect has to know the insides

    finish._fence = fence  # type: ignore[attr-defined] # noqa: SLF001 - as above
    finish._claimed_together = claimed_together  # type: ignore[attr-defined] # noqa: SLF001 - as above


def _rescue_the_living() -> None:
    """Take every other worker for dead."""

    def silent_workers(models: Models) -> Executable:
        workers = models.workers
        return select(workers.c.id, workers.c.lock_key, false().label("expired")).where(
            workers.c.id != bindparam("owner")
        )

    upkeep.silent_workers = silent_workers  # type: ignore[assignment]


def _never_reconcile() -> None:
    """Do not look for jobs that were claimed, and never arrived."""

    async def release_unknown(claimer: Claimer) -> None:
        claimer._unsure = False  # noqa: SLF001 - as above
        claimer._compared_at = claimer._now()  # noqa: SLF001 - as above

    Claimer._release_unknown = release_unknown  # type: ignore[method-assign] # noqa: SLF001 - as above


def _queue_early() -> None:
    """Queue all that is scheduled as soon as any of it is due."""

    def promote_due(models: Models) -> Executable:
        jobs = models.jobs
        waiting = select(jobs.c.id).where(jobs.c.state == JobState.SCHEDULED.value)
        some = waiting.limit(bindparam("limit", type_=Integer())).scalar_subquery()
        return (
            sql_update(jobs)
            .where(jobs.c.id == func.any(func.array(some)))
            .values(state=literal_column(f"'{JobState.QUEUED}'"))
            .returning(jobs.c.queue)
        )

    upkeep.promote_due = promote_due  # type: ignore[assignment]


MUTANTS = {
    "finish without fence": Mutant(_finish_without_fence, ("pause long",), "DUPLICATED"),
    "rescue of the living": Mutant(_rescue_the_living, (), "STOLEN"),
    "claims not reconciled": Mutant(_never_reconcile, ("lose answer",), "STUCK", lease=15),
    "children apart": Mutant(lambda: None, ("kill", "terminate"), "DUPLICATED"),
    "enqueued apart": Mutant(lambda: None, ("kill", "terminate"), "PHANTOM"),
    "queued early": Mutant(_queue_early, ("delay", "reset"), "EARLY"),
}
"""Two have nothing to build in. Of "children apart" the application is the cause: a handler enqueues outside
of its session; of "enqueued apart" the producers: they enqueue outside of their transaction.
"""
