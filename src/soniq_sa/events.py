"""What happens in a worker, as values: logging and metrics subscribe to them; one for a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from soniq_sa.outcome import Failed


@dataclass(frozen=True, slots=True)
class Event:
    """Stand above all events."""


@dataclass(frozen=True, slots=True)
class WorkerStarted(Event):
    """A worker is registered and claims jobs.

    worker_id: Its id, as in ``soniq_workers``; random, and another one for each process.
    database: The URL of its database, without the password.
    queues: The queues that it serves; empty for every queue.
    tasks: The task names that it claims.
    concurrency: How many jobs it runs at a time.
    direct: Whether it holds its lock, so that its death is noticed before its lease ends.
    loop: The event loop that it runs on: ``asyncio`` or ``uvloop``.
    """

    worker_id: UUID
    database: str
    queues: tuple[str, ...]
    tasks: tuple[str, ...]
    concurrency: int
    direct: bool
    loop: str


@dataclass(frozen=True, slots=True)
class WorkerDraining(Event):
    """A worker was told to stop: it claims no more, and waits for the handlers that run.

    running: How many those are.
    timeout: How many seconds it waits at most.
    """

    running: int
    timeout: float


@dataclass(frozen=True, slots=True)
class WorkerStopped(Event):
    """A worker has ended.

    released: How many jobs went back to their queues.
    """

    released: int


@dataclass(frozen=True, slots=True)
class JobsDone(Event):
    """The success of these jobs is committed; one event for a batch.

    job_ids: Their ids.
    tasks: Their task names, in the same order.
    """

    job_ids: Sequence[UUID]
    tasks: Sequence[str]


@dataclass(frozen=True, slots=True)
class JobFailed(Event):
    """An attempt did not succeed, or could not begin, and that is committed.

    job_id, task: The id of the job and its task name.
    attempt: The number of the attempt, from 1.
    max_attempts: The attempt after which a failure is final.
    failure: What went wrong, and when the job runs again.
    """

    job_id: UUID
    task: str
    attempt: int
    max_attempts: int
    failure: Failed

    @property
    def is_final(self) -> bool:
        """Tell whether the job is dead by this, unless somebody had asked it to end."""
        return self.failure.delay is None or self.attempt >= self.max_attempts


@dataclass(frozen=True, slots=True)
class JobDied(Event):
    """A job is dead, and that is committed: a dead letter that waits for somebody.

    Of a failed attempt it follows `JobFailed`. Of a job that took down one worker too many it is told
    by the worker that found out.

    job_id, task: The id of the job and its task name.
    reason: Why, as in the column ``reason``.
    """

    job_id: UUID
    task: str
    reason: str


@dataclass(frozen=True, slots=True)
class JobSnoozed(Event):
    """A handler put its job off with `Snooze`, and that is committed.

    job_id, task: The id of the job and its task name.
    delay: The seconds until it runs again.
    reason: What the handler gave as the reason.
    """

    job_id: UUID
    task: str
    delay: float
    reason: str | None


@dataclass(frozen=True, slots=True)
class JobCancelled(Event):
    """A job that ran was ended in the state ``cancelled``, and that is committed.

    job_id, task: The id of the job and its task name.
    reason: What was given as the reason.
    """

    job_id: UUID
    task: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class JobLost(Event):
    """A job belonged to another worker when this one wanted to write its end; nothing is written.

    job_id, task: The id of the job and its task name.
    """

    job_id: UUID
    task: str


@dataclass(frozen=True, slots=True)
class LeaseLost(Event):
    """This worker was taken for dead; it goes on under a new id.

    running: How many jobs it was running; what they find out is dropped.
    """

    running: int


@dataclass(frozen=True, slots=True)
class JobsRescued(Event):
    """Jobs of dead workers were taken over.

    queued: How many went back to their queues.
    dead: How many are dead, after too many crashes.
    """

    queued: int
    dead: int


@dataclass(frozen=True, slots=True)
class JobsPruned(Event):
    """Jobs whose retention was over are deleted, with their attempts and their progress.

    count: How many.
    """

    count: int


@dataclass(frozen=True, slots=True)
class JobsHeld(Event):
    """Jobs whose retention is over cannot be deleted now, and are kept for some time more.

    job_ids: Their ids.
    why: Which columns of yours refer to them, or with which error the database refuses.
    """

    job_ids: Sequence[UUID]
    why: str


@dataclass(frozen=True, slots=True)
class JobsReleased(Event):
    """Jobs that the table gave to this worker, and that it does not run, went back to their queues.

    count: How many.
    """

    count: int


@dataclass(frozen=True, slots=True)
class HandlerAbandoned(Event):
    """A handler did not end when the worker did; what it still writes is fenced off.

    job_id, task: The id of the job which went back to its queue, and its task name.
    """

    job_id: UUID
    task: str


@dataclass(frozen=True, slots=True)
class LoopBlocked(Event):
    """The worker's event loop runs nothing else, because a handler blocks it, and still does.

    Told by a thread after about a second, once for each time that it happens; of a handler that keeps
    Python's lock when the lock is free again, and the guard process has logged it in time.

    task: The task name of the handler; None if it could not be found out, or may be one of several.
    job_id: The id of its job; None if it could not be found out.
    seconds: For how long the loop had been blocked when that was noticed.
    stack: Where the handler is, as a traceback.
    gil_held: Whether no other thread could run either, because compiled code keeps Python's lock (GIL).
    """

    task: str | None
    job_id: UUID | None
    seconds: float
    stack: str
    gil_held: bool


@dataclass(frozen=True, slots=True)
class LoopFreed(Event):
    """The worker's event loop runs again after it was blocked; told by a thread.

    task: The task name of the handler, as in `LoopBlocked`.
    seconds: For how long the loop was blocked.
    """

    task: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class LeaseLetGo(Event):
    """A handler blocks the event loop for longer than an attempt may take: its worker renews its lease no more.

    task: The task name of the handler; None if it is not known.
    seconds: For how long the loop has been blocked.
    """

    task: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class DatabaseLost(Event):
    """A part of the worker cannot reach the database, or gets no answer in time, and tries again.

    part: Which part, such as ``claimer``; at the start of the worker the URL of the database.
    error: What the attempt said.
    retry_in: The seconds until the next attempt.
    connected: Whether it is there, and has refused a statement, or cut one that waited or took too long.
    """

    part: str
    error: str
    retry_in: float
    connected: bool = False


@dataclass(frozen=True, slots=True)
class WakeupsUnheard(Event):
    """A connection pooler keeps wake-ups from the worker, which looks for jobs by itself.

    database: The URL that leads to the pooler, without the password.
    """

    database: str


@dataclass(frozen=True, slots=True)
class SchemaBehind(Event):
    """A migration of this release has not run yet; the worker goes on without the new columns.

    database: The URL of the database, without the password.
    columns: The columns that it lacks.
    """

    database: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatabaseBack(Event):
    """A part of the worker reaches the database again.

    part: Which part, as in `DatabaseLost`.
    """

    part: str


@dataclass(frozen=True, slots=True)
class PartFailed(Event):
    """A part of the worker met an error that nobody foresaw; it tries again.

    part: Which part.
    error: The error, with its traceback.
    """

    part: str
    error: str


@dataclass(frozen=True, slots=True)
class HookFailed(Event):
    """A hook raised, or a middleware after the commit; the job goes on.

    job_id, task: The id of the job and its task name.
    kind: The decorator, such as ``before_job``.
    hook: The module and the name of the hook.
    error: What it raised, with its traceback.
    """

    job_id: UUID
    task: str
    kind: str
    hook: str
    error: str


@dataclass(frozen=True, slots=True)
class ResourceFailed(Event):
    """A resource of the worker failed.

    resource: The module and the name of what makes it.
    when: ``at opening``, ``while it was in use`` or ``at closing``.
    error: What was raised, with its traceback.
    """

    resource: str
    when: str
    error: str
