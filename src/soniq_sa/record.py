"""A job as it stands in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from soniq_sa.errors import JobCancelledError, JobDeadError, JobExpiredError
from soniq_sa.progress import Progress
from soniq_sa.states import JobState, Reason


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What the row of a job says, at the moment it was read.

    Its ``repr()`` leaves out result, error and headers, so that a log of it gives nothing away.

    id: The id of the job.
    task, queue, priority: As the job was enqueued, or as they were changed since.
    state: The state of the job.
    run_at: The earliest time it may run, or may run again.
    created_at: The start of the transaction that enqueued it.
    finished_at: When it ended, in whatever way; None while it has not.
    max_attempts: The attempt after which a failure is final.
    tags, headers: Those given at enqueue; empty without any.
    attempts: How many attempts are over; releases, snoozes and crashes do not count.
    reason: Why the job is dead, was cancelled, or is snoozed.
    error: The error of the last attempt that did not succeed.
    result: What the handler returned, with the type of its annotation if the task is registered here,
        else as JSON.
    progress: What the handler last said with ``ctx.progress`` in the last attempt.
    """

    id: UUID
    task: str
    queue: str
    state: JobState
    priority: int
    run_at: datetime
    created_at: datetime
    finished_at: datetime | None
    attempts: int
    max_attempts: int
    reason: str | None
    error: str | None = field(repr=False)
    result: Any = field(repr=False)
    tags: tuple[str, ...]
    headers: Mapping[str, str] = field(repr=False)
    progress: Progress | None

    @property
    def finished(self) -> bool:
        """Tell whether the job has ended, in whatever way."""
        return self.finished_at is not None

    def outcome(self) -> Any:
        """Return the result of a job that is done.

        Raises `JobDeadError`, `JobExpiredError` or `JobCancelledError` for one that ended otherwise.
        """
        if self.state is JobState.DONE:
            return self.result
        if self.state is JobState.CANCELLED:
            raise JobCancelledError(
                f"The job {self.task} {self.id} was cancelled{f': {self.reason}' if self.reason else ''}."
            )
        kind = JobExpiredError if self.reason == Reason.EXPIRED else JobDeadError
        raise kind(
            f"The job {self.task} {self.id} is dead ({self.reason}) after {self.attempts} attempts:\n"
            f"{self.error}"
        )
