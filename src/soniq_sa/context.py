"""What a handler may ask for beside its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from logging import Logger, LoggerAdapter, getLogger
from typing import Any, Final
from uuid import UUID


@dataclass(slots=True)
class CancelFlag:
    """Whether a running job is to be cancelled; set on the event loop, read in any thread."""

    is_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """The job that is being run, for a handler that asks with ``ctx: JobContext = inject()``.

    job_id: The id of the job row.
    task: The task name.
    queue: The queue that the job was claimed from.
    attempt: The number of this attempt, from 1. Releases and crashes do not count.
    max_attempts: The attempt after which a failure is final.
    worker_id: The worker that runs the job.
    run_at: The earliest time the job was allowed to run, by the database's clock.
    created_at: The start of the transaction that enqueued the job.
    tags: The words given at enqueue.
    headers: The text by name given at enqueue, such as a trace context.
    """

    job_id: UUID
    task: str
    queue: str
    attempt: int
    max_attempts: int
    worker_id: UUID
    run_at: datetime
    created_at: datetime
    tags: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    cancel_flag: CancelFlag = field(default_factory=CancelFlag, repr=False, compare=False)

    @property
    def cancelled(self) -> bool:
        """Tell whether the job is to be cancelled: a sync handler looks here, and raises `Cancel`."""
        return self.cancel_flag.is_set

    @property
    def logger(self) -> LoggerAdapter[Logger]:
        """Return the logger named like the task, whose records carry the job.

        Each record has the attributes ``job_id``, ``task``, ``queue`` and ``attempt``, for formatters
        and handlers of yours.
        """
        fields = {
            "job_id": str(self.job_id),
            "task": self.task,
            "queue": self.queue,
            "attempt": self.attempt,
        }
        return LoggerAdapter(getLogger(self.task), fields)


class Injected:
    """The default value that marks a parameter as supplied by the worker."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "inject()"


INJECTED: Final = Injected()


def inject() -> Any:
    """Mark a handler's parameter as supplied by the worker, not by who enqueues.

    The annotation decides what is supplied: `JobContext`, `sqlalchemy.ext.asyncio.AsyncSession`
    (async handlers) or `sqlalchemy.orm.Session` (sync handlers). Callers leave it out.

    Example::

        @soniq.job
        async def send_invoice(order: Order, *, session: AsyncSession = inject()) -> None: ...
    """
    return INJECTED


class Locked:
    """Mark an entity parameter to be loaded with a row lock: ``Annotated[Order, Locked]``.

    The row is read with ``FOR NO KEY UPDATE``, so that two jobs that read, change and write the same
    row wait for each other instead of losing one of the changes.
    """
