"""What ``enqueue`` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

R_co = TypeVar("R_co", covariant=True)


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
