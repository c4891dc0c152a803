"""Adding jobs to a session: the functions, and the methods for session classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from uuid import UUID

from sqlalchemy import null
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.orm.attributes import instance_dict, manager_of_class, set_attribute

from soniq_sa.errors import ConfigurationError, InvalidArgumentsError, SessionTypeError
from soniq_sa.handle import JobHandle
from soniq_sa.ids import uuid7
from soniq_sa.models.mixins import JobMixin
from soniq_sa.options import plain_columns
from soniq_sa.session.notes import Batch, RowNote, note_row, notes_of
from soniq_sa.states import JobState
from soniq_sa.task import Task, TaskRef

if TYPE_CHECKING:
    from soniq_sa.codec import Encoded

P = ParamSpec("P")
R = TypeVar("R")

MOST_JOBS = 100_000
"""Jobs in one call of ``enqueue_many``, which are one statement."""

MOST_CHARACTERS = 64 * 1024 * 1024
"""Characters of their arguments as JSON, all together."""

_TOO_MUCH = (
    "jobs. Call it several times in the same session: the jobs are one transaction all the same."
)

AnySession = Session | AsyncSession | scoped_session[Any] | async_scoped_session[Any]


def enqueue(
    session: AnySession, task: TaskRef[P, R], /, *args: P.args, **kwargs: P.kwargs
) -> JobHandle[R]:
    """Add a job to the unit of work of ``session``; no I/O, nothing to await.

    task: A task, or a reference to one whose handler is elsewhere: ``soniq.ref``, ``@soniq.stub``.

    The job exists if and only if the transaction commits, and is gone with its savepoint. Takes any
    ``Session``, ``AsyncSession``, ``scoped_session`` or subclass, such as SQLModel's and
    Flask-SQLAlchemy's. ORM instances are legal arguments, also before they have a primary key.

    Raises `InvalidArgumentsError` if the arguments do not fit the handler,
    `EntityReferenceError` for an instance that is deleted or belongs to another session, and
    `UnknownTaskError` for a reference by a name that nothing here declares.

    Example::

        session.add(order)
        enqueue(session, send_invoice, order)
        enqueue(session, send_invoice.options(delay=60), order)
    """
    target = sync_session(session)
    found = _resolved(task)
    encoded = found.codec.encode(args, kwargs)
    encoded.check(target)
    return add_job(target, found, encoded)


def enqueue_committed(
    session: AnySession, task: TaskRef[..., R], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> JobHandle[R]:
    """Add a job to a transaction of its own; entities may belong to any session that is not in one."""
    found = _resolved(task)
    encoded = found.codec.encode(args, kwargs)
    encoded.accept_committed()
    handle = add_job(sync_session(session), found, encoded)
    return JobHandle(handle.id, handle.name, reader=handle.reader)


def add_job(session: Session, task: TaskRef[..., R], encoded: Encoded) -> JobHandle[R]:
    """Add the row of a job whose arguments are checked."""
    _refuse_two_phase(session, task)
    job = _new_row(_offered(task, encoded), uuid7(), encoded)
    session.add(job)
    return JobHandle(job.id, task.name, job, task.tasks.reader)


def enqueue_many(
    session: AnySession, task: TaskRef[..., R], rows: Iterable[Mapping[str, Any]], /
) -> list[JobHandle[R]]:
    """Add many jobs of one task to the unit of work: one INSERT at the flush.

    rows: The arguments of each job, by name. They are checked here and now, and if one does not fit,
        none is added. At most 100,000, with 64 Mi characters of arguments; call it again for more.

    The handles have no ``row``: no ORM instances are made. In ``session.new`` one instance stands
    for the batch. A client-side default of a column of yours is called once, for all of them.

    Example::

        enqueue_many(session, send_report, [{"user_id": 1}, {"user_id": 2}])
    """
    target = sync_session(session)
    found = _resolved(task)
    encoded = _encode_rows(found, rows)
    for one in encoded:
        one.check(target)
    return _add_jobs(target, found, encoded)


def enqueue_many_committed(
    session: AnySession, task: TaskRef[..., R], rows: Iterable[Mapping[str, Any]]
) -> list[JobHandle[R]]:
    """Add jobs to a transaction of its own; entities as in `enqueue_committed`."""
    found = _resolved(task)
    encoded = _encode_rows(found, rows)
    for one in encoded:
        one.accept_committed()
    return _add_jobs(sync_session(session), found, encoded)


def _add_jobs(
    session: Session, task: TaskRef[..., R], encoded: list[Encoded]
) -> list[JobHandle[R]]:
    """Add the rows of jobs whose arguments are checked."""
    if not encoded:
        return []
    _refuse_two_phase(session, task)
    ids = [uuid7() for _ in encoded]
    for part, places in _offered_rows(task, encoded):
        _add_batch(session, part, [ids[n] for n in places], [encoded[n] for n in places])
    return [JobHandle(job_id, task.name, reader=task.tasks.reader) for job_id in ids]


def _add_batch(
    session: Session, task: TaskRef[..., Any], ids: list[UUID], encoded: list[Encoded]
) -> None:
    carrier = _new_row(task, ids[0], encoded[0])
    batch = Batch(carrier, task, ids, encoded)
    note_row(carrier, RowNote(encoded[0], task.defaults, batch))
    session.add(carrier)
    notes_of(session).batches.append(batch)


def _offered(task: TaskRef[..., R], encoded: Encoded) -> TaskRef[..., R]:
    """Return the task, with the headers that the hooks have added to this job."""
    hooks = task.tasks.hooks
    if not hooks.before_enqueue:
        return task
    offered = copy(task)
    offered.defaults = hooks.offer(task.name, task.defaults, encoded.text)
    return offered


def _offered_rows(
    task: TaskRef[..., R], encoded: list[Encoded]
) -> Iterable[tuple[TaskRef[..., R], Sequence[int]]]:
    """Return the task with the places of its jobs, once for each set of headers."""
    if not task.tasks.hooks.before_enqueue:
        return [(task, range(len(encoded)))]
    parts: dict[frozenset[tuple[str, str]], tuple[TaskRef[..., R], list[int]]] = {}
    for place, one in enumerate(encoded):
        offered = _offered(task, one)
        headers = frozenset((offered.defaults.headers or {}).items())
        parts.setdefault(headers, (offered, []))[1].append(place)
    return parts.values()


def sync_session(session: AnySession) -> Session:
    """Return the ``Session`` behind any kind of session; raise `SessionTypeError` for others."""
    current = session() if isinstance(session, scoped_session | async_scoped_session) else session
    if isinstance(current, AsyncSession):
        return current.sync_session
    if isinstance(current, Session):
        return current
    raise SessionTypeError(
        f"Expected a SQLAlchemy session, not {type(session).__name__}. "
        "Write enqueue(session, task, ...) or session.enqueue(task, ...)."
    )


def _encode_rows(task: TaskRef[..., Any], rows: Iterable[Mapping[str, Any]]) -> list[Encoded]:
    """Check and encode the arguments of each job; refuse more than one statement should hold."""
    encoded: list[Encoded] = []
    characters = 0
    for index, row in enumerate(rows):
        if index == MOST_JOBS:
            raise InvalidArgumentsError(
                f"enqueue_many() was given more than {MOST_JOBS:,} {_TOO_MUCH}"
            )
        one = _encode_row(task, index, row)
        characters += len(one.text)
        if characters > MOST_CHARACTERS:
            raise InvalidArgumentsError(
                f"enqueue_many() was given, up to row {index}, more than {MOST_CHARACTERS:,} characters of "
                f"arguments in its {_TOO_MUCH}"
            )
        encoded.append(one)
    return encoded


def _encode_row(task: TaskRef[..., Any], index: int, row: Mapping[str, Any]) -> Encoded:
    try:
        return task.codec.encode((), row)
    except InvalidArgumentsError as error:
        error.add_note(f"In row {index} of enqueue_many.")
        raise


def _resolved(task: TaskRef[..., R]) -> TaskRef[..., R]:
    """Return what the job is made by; refuse what is no task."""
    return task if isinstance(task, Task) else checked_task(task).resolve()


def checked_task(task: TaskRef[P, R]) -> TaskRef[P, R]:
    """Return ``task``; raise `InvalidArgumentsError` for what is none."""
    given: Any = task
    if isinstance(given, TaskRef):
        return task
    if isinstance(given, str):
        raise InvalidArgumentsError(
            f"A session does not know where to look for the task {given!r}. Write "
            f"soniq.ref({given!r}), or use soniq.enqueue({given!r}, ...)."
        )
    raise InvalidArgumentsError(
        f"enqueue() takes a task, not {given!r}. Decorate the function with @soniq.job, and pass "
        "the function itself, without calling it."
    )


def _refuse_two_phase(session: Session, task: TaskRef[..., Any]) -> None:
    if session.twophase and task.tasks.models.options.notify == "trigger":
        raise ConfigurationError(
            "This session commits in two phases, and PostgreSQL cannot prepare a transaction in which "
            'the trigger of include_tables(..., notify="trigger") has notified the workers. Use '
            'notify="after_commit", or a session without twophase=True.'
        )


def _new_row(task: TaskRef[..., Any], job_id: UUID, encoded: Encoded) -> JobMixin:
    """Return a job row with every column set: rows of one shape share one INSERT."""
    options = task.defaults
    job = task.tasks.models.Job()
    ours = {
        "id": job_id,
        "task": task.name,
        "queue": options.queue,
        "state": (JobState.SCHEDULED if options.deferred else JobState.QUEUED).value,
        "priority": options.priority,
        "args": encoded.values,
        "max_attempts": options.max_attempts,
        **_COUNTS,
        **plain_columns(options),
    }
    if _is_listened_to(job, ours):
        for name, value in ours.items():
            set_attribute(job, name, value)
    else:
        instance_dict(job).update(ours)
    for name, value in options.columns.items():
        set_attribute(job, name, null() if value is None else value)
    if encoded.references or options.timed:
        note_row(job, RowNote(encoded, options))
    return job


def _is_listened_to(job: JobMixin, names: Iterable[str]) -> bool:
    """Tell whether an event or a validator of the application wants to know what is set.

    If not, the values of a new row need none of the history that setting them one by one writes.
    """
    attributes = manager_of_class(type(job))
    return any(attributes[name].impl.dispatch.set for name in names)


_COUNTS = {"attempts": 0, "claims": 0, "crashes": 0}
"""What the table says as well: said here, SQLAlchemy does not ask for it back."""


class EnqueueMixin:
    """Give a session class ``enqueue`` and ``enqueue_many``; for sync and async sessions alike.

    Example::

        class MySession(EnqueueMixin, AsyncSession): ...
    """

    def enqueue(self, task: TaskRef[P, R], /, *args: P.args, **kwargs: P.kwargs) -> JobHandle[R]:
        """Add a job to the unit of work; see `soniq_sa.enqueue`."""
        return enqueue(self, task, *args, **kwargs)  # type: ignore[arg-type]

    def enqueue_many(
        self, task: TaskRef[..., R], rows: Iterable[Mapping[str, Any]], /
    ) -> list[JobHandle[R]]:
        """Add many jobs of one task; see `soniq_sa.enqueue_many`."""
        return enqueue_many(self, task, rows)  # type: ignore[arg-type]


class SoniqSession(EnqueueMixin, Session):
    """A ``Session`` with ``enqueue``: ``sessionmaker(engine, class_=SoniqSession)``."""


class AsyncSoniqSession(EnqueueMixin, AsyncSession):
    """An ``AsyncSession`` with ``enqueue``: ``async_sessionmaker(engine, class_=AsyncSoniqSession)``."""

    sync_session_class = SoniqSession
