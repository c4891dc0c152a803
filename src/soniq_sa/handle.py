"""What ``enqueue`` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from soniq_sa.errors import ConfigurationError
from soniq_sa.states import JobState

R_co = TypeVar("R_co", covariant=True)


class JobReader(Protocol):
    """Reads jobs on behalf of their handles."""

    async def status(self, job_id: UUID) -> JobState:
        """Return the state of a job."""
        ...

    async def result(self, job_id: UUID, timeout: float | None) -> Any:
        """Return what the handler of a job returned, once it has ended."""
        ...


@dataclass(frozen=True, slots=True)
class JobHandle(Generic[R_co]):
    """A job that was enqueued; ``R`` is what its handler returns.

    id: The id of the job row, known before any flush: a UUID version 7.
    name: The task name.
    row: The pending ORM row, for a relationship (``report.job = handle.row``). It is None where no
        ORM instance was made: ``enqueue_many``, ``soniq.enqueue`` and ``soniq.enqueue_sync``.
    """

    id: UUID
    name: str
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
        ended in time, and `JobNotFoundError` for one that was deleted. Do not wait inside the
        transaction that enqueues: the job is not there before its commit.

        Example::

            handle = await soniq.enqueue(make_report, user_id=7)
            report = await handle.result(timeout=30)
        """
        found: R_co = await self._reader.result(self.id, timeout)
        return found

    @property
    def _reader(self) -> JobReader:
        if self.reader is None:
            raise ConfigurationError(
                f"The job {self.name} {self.id} was not enqueued through a Soniq, so nothing tells "
                "where to look for it."
            )
        return self.reader
