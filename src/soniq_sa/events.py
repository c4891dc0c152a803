"""What happens in a worker, as values: logging and metrics subscribe to them.

The hot path emits one event per batch, and none without subscribers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from soniq_sa.outcome import Failed

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """Stand above all events."""


@dataclass(frozen=True, slots=True)
class WorkerStarted(Event):
    """A worker is registered and claims jobs. An empty ``queues`` means every queue."""

    worker_id: UUID
    database: str
    queues: tuple[str, ...]
    tasks: tuple[str, ...]
    concurrency: int
    direct: bool


@dataclass(frozen=True, slots=True)
class WorkerDraining(Event):
    """A worker was told to stop: it claims no more and waits up to ``timeout`` seconds."""

    running: int
    timeout: float


@dataclass(frozen=True, slots=True)
class WorkerStopped(Event):
    """A worker has ended; ``released`` jobs went back to their queues."""

    released: int


@dataclass(frozen=True, slots=True)
class JobsDone(Event):
    """The success of these jobs is committed."""

    job_ids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class JobFailed(Event):
    """An attempt did not succeed, and that is committed."""

    job_id: UUID
    task: str
    attempt: int
    max_attempts: int
    failure: Failed


@dataclass(frozen=True, slots=True)
class JobSnoozed(Event):
    """A handler put its job off for ``delay`` seconds, and that is committed."""

    job_id: UUID
    task: str
    delay: float
    reason: str | None


@dataclass(frozen=True, slots=True)
class JobCancelled(Event):
    """A job was ended in the state ``cancelled``, and that is committed."""

    job_id: UUID
    task: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class JobLost(Event):
    """A job belonged to another worker when this one wanted to write its end."""

    job_id: UUID
    task: str


@dataclass(frozen=True, slots=True)
class LeaseLost(Event):
    """This worker was taken for dead; it goes on under a new id."""

    running: int


@dataclass(frozen=True, slots=True)
class JobsRescued(Event):
    """Jobs of dead workers went back to their queues, or are dead after too many crashes."""

    queued: int
    dead: int


@dataclass(frozen=True, slots=True)
class JobsReleased(Event):
    """Jobs that the table gave to this worker, and that it does not run, went back."""

    count: int


@dataclass(frozen=True, slots=True)
class HandlerAbandoned(Event):
    """A handler did not end when the worker did; what it still writes is fenced off."""

    job_id: UUID
    task: str


@dataclass(frozen=True, slots=True)
class DatabaseLost(Event):
    """A part of the worker cannot reach the database, and tries again in ``retry_in`` seconds."""

    part: str
    error: str
    retry_in: float


@dataclass(frozen=True, slots=True)
class SchemaBehind(Event):
    """A migration of this release has not run yet; the worker goes on without these columns."""

    database: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatabaseBack(Event):
    """A part of the worker reaches the database again."""

    part: str


@dataclass(frozen=True, slots=True)
class PartFailed(Event):
    """A part of the worker met an error that nobody foresaw; it tries again."""

    part: str
    error: str


@dataclass(frozen=True, slots=True)
class HookFailed(Event):
    """A hook raised, or a middleware after the commit; the job goes on. ``kind``: its decorator."""

    job_id: UUID
    task: str
    kind: str
    hook: str
    error: str


@dataclass(frozen=True, slots=True)
class ResourceFailed(Event):
    """A resource of the worker failed ``when`` it was opened, in use, or closed."""

    resource: str
    when: str
    error: str


Subscriber = Callable[[Event], None]


class Events:
    """The subscribers of one application."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> Subscriber:
        """Have ``subscriber`` called with every event, in the worker's event loop.

        It must not block. If it raises, that is logged, and the worker goes on. One that is
        subscribed already is not called twice.
        """
        if subscriber not in self._subscribers:
            self._subscribers.append(subscriber)
        return subscriber

    def emit(self, event: Event) -> None:
        """Hand ``event`` to every subscriber."""
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception:  # noqa: BLE001 - a subscriber must not stop the worker
                _log.exception("The subscriber %r failed on %r.", subscriber, event)

    def __bool__(self) -> bool:
        """Tell whether anybody listens."""
        return bool(self._subscribers)
