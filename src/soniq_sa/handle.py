"""What ``enqueue`` returns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from soniq_sa.errors import ConfigurationError
from soniq_sa.loops import run_without_loop
from soniq_sa.progress import Progress
from soniq_sa.states import JobState

R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")


class JobReader(Protocol):
    """Reads jobs on behalf of their handles."""

    async def status(self, job_id: UUID) -> JobState:
        """Return the state of a job."""
        ...

    async def progress(self, job_id: UUID) -> Progress | None:
        """Return what the handler of a job has said of its progress."""
        ...

    async def result(self, job_id: UUID, timeout: float | None) -> Any:
        """Return what the handler of a job returned, once it has ended."""
        ...

    def loopless(self) -> JobReader:
        """Return a reader for ``asyncio.run``: at its end nothing is left of what waits here."""
        ...


@dataclass(frozen=True, slots=True)
class JobHandle(Generic[R_co]):
    """A job that was enqueued; ``R`` is what its handler returns.

    id: The id of the job row, known before any flush: a UUID version 7.
    name: The task name; empty for ``soniq.handle(id)``, which does not know it.
    row: The pending ORM row, for a relationship (``report.job = handle.row``). It is None where no
        ORM instance was made: ``enqueue_many``, ``soniq.enqueue`` and ``soniq.enqueue_sync``.
    """

    id: UUID
    name: str = field(compare=False)
    row: Any = field(default=None, compare=False, repr=False)
    reader: JobReader | None = field(default=None, compare=False, repr=False)

    async def status(self) -> JobState:
        """Return the state of the job; raise `JobNotFoundError` while it is not committed."""
        return await self._reader.status(self.id)

    async def result(self, timeout: float | None = None) -> R_co:
        """Wait until the job has ended, and return what its handler returned.

        timeout: Seconds to wait. None (the default): for ever.

        It is woken by the worker that ends the job. Raises `JobDeadError`, `JobExpiredError` or
        `JobCancelledError` for a job that ended otherwise, `ResultTimeoutError` for one that has not
        ended in time, and `JobNotFoundError` for one that was deleted: at its end, if its task has
        ``retention=0``. Do not wait inside the transaction that enqueues: the job is not there before
        its commit, and one that is not there for five seconds counts as deleted.

        Example::

            handle = await soniq.enqueue(make_report, user_id=7)
            report = await handle.result(timeout=30)
        """
        found: R_co = await self._reader.result(self.id, timeout)
        return found

    async def progress(self) -> Progress | None:
        """Return what the handler last said with ``ctx.progress``; None if it has said nothing.

        It is of the last attempt: it starts anew with each. Raises `JobNotFoundError` while the job
        is not committed.
        """
        return await self._reader.progress(self.id)

    def future(self, timeout: float | None = None) -> asyncio.Task[R_co]:
        """Return a task of the running event loop that waits for the `result`.

        timeout: Seconds to wait. None (the default): for ever. Cancelling the task ends the waiting,
            not the job.

        Example::

            done, _ = await asyncio.wait({handle.future() for handle in handles}, timeout=30)
        """
        return asyncio.get_running_loop().create_task(self.result(timeout))

    def result_sync(self, timeout: float | None = None) -> R_co:
        """Wait for the `result` in a program without an event loop. It connects anew at each call."""
        found: R_co = self._run_sync("result_sync", lambda reader: reader.result(self.id, timeout))
        return found

    def status_sync(self) -> JobState:
        """Return the `status` in a program without an event loop. It connects anew at each call."""
        return self._run_sync("status_sync", lambda reader: reader.status(self.id))

    def progress_sync(self) -> Progress | None:
        """Return the `progress` in a program without an event loop. It connects anew at each call."""
        return self._run_sync("progress_sync", lambda reader: reader.progress(self.id))

    def _run_sync(self, name: str, ask: Callable[[JobReader], Coroutine[Any, Any, T]]) -> T:
        reader = self._reader.loopless()
        return run_without_loop(f"handle.{name}", lambda: ask(reader))

    @property
    def _reader(self) -> JobReader:
        if self.reader is None:
            raise ConfigurationError(
                f"The job {self.name} {self.id} was not enqueued through a Soniq, so nothing tells "
                "where to look for it."
            )
        return self.reader


def id_of(job: UUID | JobHandle[Any]) -> UUID:
    """Return the id of a job that is given by its id or its handle."""
    return job.id if isinstance(job, JobHandle) else job
