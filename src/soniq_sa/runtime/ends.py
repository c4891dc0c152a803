"""Ends of runs as parameters of the statements that write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from soniq_sa.outcome import Cancelled, Failed, Otherwise, Snoozed
from soniq_sa.runtime.jobs import HeldJob
from soniq_sa.states import AttemptOutcome, JobState


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
