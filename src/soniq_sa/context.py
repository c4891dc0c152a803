"""What a handler may ask for beside its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from logging import Logger, LoggerAdapter, getLogger
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import UUID

from soniq_sa.errors import ConfigurationError
from soniq_sa.progress import check_amount

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session


@dataclass(slots=True)
class CancelFlag:
    """Whether a running job is to be cancelled; set on the event loop, read in any thread."""

    is_set: bool = False


class JobTransaction(Protocol):
    """What ``ctx.transaction()`` returns: entered with ``async with``, or ``with`` in a sync handler."""

    async def __aenter__(self) -> AsyncSession: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None: ...
    def __enter__(self) -> Session: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None: ...


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
    report: Callable[[float, float | None, str | None], None] | None = field(
        default=None, repr=False, compare=False
    )
    open_transaction: Callable[[], JobTransaction] | None = field(
        default=None, repr=False, compare=False
    )

    @property
    def cancelled(self) -> bool:
        """Tell whether the job is to be cancelled: a sync handler looks here, and raises `Cancel`."""
        return self.cancel_flag.is_set

    def progress(self, done: float, total: float | None = None, note: str | None = None) -> None:
        """Say how far the job is; read with ``handle.progress()`` while it runs.

        done: How much is done, in whatever you count. A number from 0.
        total: How much there is to do. Default: not known.
        note: A word for people; what is longer than 1,000 characters is cut. Default: none.

        To be called as often as you like, also in a thread: nothing is awaited, and the worker writes
        what was said last, at most four times a second. Raises `OptionError` for what is no number.
        Outside a worker it only checks the numbers.

        Example::

            for number, page in enumerate(pages, 1):
                await fetch(page)
                ctx.progress(number, len(pages))
        """
        amount = check_amount("done", done)
        whole = None if total is None else check_amount("total", total)
        if self.report is not None:
            self.report(amount, whole, note)

    def transaction(self) -> JobTransaction:
        """Return a short transaction of its own, with a session, for a handler that takes long.

        It is committed at the end of its block and rolled back by an error, whatever becomes of the
        job, and only if the job is still this worker's; otherwise `LeaseLostError` is raised. What it
        wrote stays when the job fails later and is run again. Raises `ConfigurationError` outside a
        worker.

        Example::

            page = await fetch(url)
            async with ctx.transaction() as session:
                session.add(Page(url=url, text=page))
        """
        if self.open_transaction is None:
            raise ConfigurationError(
                "ctx.transaction() needs a worker: this JobContext was made by hand. Give it "
                "open_transaction=, which returns what `async with` takes."
            )
        return self.open_transaction()

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
    (async handlers), `sqlalchemy.orm.Session` (sync handlers), or the type of a resource
    (`Soniq.resource`). Callers leave it out.

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
