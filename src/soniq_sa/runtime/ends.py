"""Ends of runs as parameters of the statements that write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from soniq_sa.models.roles import Models
from soniq_sa.outcome import Cancelled, Failed, Otherwise, Snoozed
from soniq_sa.retention import Retention
from soniq_sa.runtime.jobs import HeldJob
from soniq_sa.statements.prune import references_to
from soniq_sa.states import AttemptOutcome, JobState


class Deletions:
    """Which jobs are deleted at their end, instead of being marked done and pruned.

    Those whose retention is 0, if nothing of the user's may refer to them, and nothing of ours is being
    written about them.
    """

    def __init__(self, models: Models, retention: Retention) -> None:
        own = retention.exceptions(JobState.DONE)
        self._by_default = retention.defaults[JobState.DONE] == 0
        others = own.values() if self._by_default else [own.get(0, [])]
        self._others = frozenset(task for tasks in others for task in tasks)
        self._possible = not references_to(models.jobs)

    def include(self, job: HeldJob) -> bool:
        """Tell whether ``job`` is to be deleted if it is done."""
        meant = (job.task in self._others) is not self._by_default
        return meant and self._possible and not job.reported

    def give_up(self) -> None:
        """Include no job any more: the database has refused to delete one."""
        self._possible = False


def fence_rows(jobs: Sequence[HeldJob]) -> dict[str, Any]:
    """Return the parameters of `soniq_sa.statements.finish.finish_done`, for jobs of one claim number."""
    ids = [job.id for job in jobs]
    return {"ids": ids, "claim_number": jobs[0].claims, "owner": jobs[0].worker_id}


def result_rows(owner: UUID, ends: Sequence[tuple[HeldJob, str | None]]) -> dict[str, Any]:
    """Return the parameters of `soniq_sa.statements.finish.finish_with_results`."""
    return {
        "owner": owner,
        "ids": [job.id for job, _ in ends],
        "claim_numbers": [job.claims for job, _ in ends],
        "results": [result for _, result in ends],
    }


def end_rows(owner: UUID, ends: Sequence[tuple[HeldJob, Otherwise]]) -> dict[str, Any]:
    """Return the parameters of `soniq_sa.statements.finish.finish_otherwise`."""
    columns = zip(*(_row(end) for _, end in ends), strict=True)
    names = ("consumed", "outcomes", "errors", "reasons", "delays", "ends")
    return {
        "owner": owner,
        "ids": [job.id for job, _ in ends],
        "claim_numbers": [job.claims for job, _ in ends],
        **{name: list(values) for name, values in zip(names, columns, strict=True)},
    }


def _row(end: Otherwise) -> tuple[int, str | None, str | None, str | None, float | None, str]:
    match end:
        case Failed():
            kept = None if end.outcome is None else end.outcome.value
            consumed = int(kept is not None)
            return consumed, kept, end.error, end.reason.value, end.delay, JobState.DEAD.value
        case Snoozed():
            return 0, None, None, end.reason, end.delay, JobState.DEAD.value
        case Cancelled():
            kept = AttemptOutcome.CANCELLED.value
            return 1, kept, None, end.reason, None, JobState.CANCELLED.value
