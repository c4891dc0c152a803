"""The errors of soniq-sa; commands have a few of their own, beside their code.

    SoniqError
    ├── ConfigurationError          the program is set up wrongly; nothing was sent to the database
    │   ├── MixinOrderError         C01  ``class Job(Base, JobMixin)``: the mixin must come first
    │   ├── TablesMissingError      C02  the metadata holds no job table
    │   ├── NoDatabaseError         C03  no engine, no session factory and no URL
    │   ├── NoDriverError           C04  the database driver that this needs is not installed
    │   ├── TaskDefinitionError     C05  a handler's signature cannot be a task
    │   ├── OptionError             C06  an option has a value outside its bounds (also a ValueError)
    │   ├── UnknownOptionError      C07  an option that does not exist (also a TypeError)
    │   ├── UnknownQueueError       C08  a queue that nothing declares (also a LookupError)
    │   └── AppNotFoundError        C09  ``--app module:attr`` does not lead to a ``Soniq``
    ├── EnqueueError                the job was refused at the ``enqueue`` line or at flush
    │   ├── InvalidArgumentsError   E01  the arguments do not fit the handler (also a TypeError)
    │   ├── EntityReferenceError    E02  an ORM instance that cannot be referred to
    │   ├── SessionTypeError        E03  the first argument is no SQLAlchemy session (also a TypeError)
    │   └── UnknownTaskError        E04  a task name that nothing here declares (also a LookupError)
    ├── DatabaseError
    │   ├── SchemaMissingError      D01  tables or columns are missing in the database
    │   ├── DatabaseUnreachableError D02 no connection could be made
    │   ├── JobNotFoundError        D03  no such job, or none in the needed state (also a LookupError)
    │   ├── ReplayRefusedError      D04  a replay violates a constraint of the job table
    │   └── RowsHiddenError         D05  row-level security hides rows from an audit
    ├── WaitError                   a job that was waited for gave no result
    │   ├── JobDeadError            W01  it is dead: its retries are exhausted, or it gave up
    │   │   └── JobExpiredError     W02  it was not begun in time
    │   ├── JobCancelledError       W03  it was cancelled
    │   └── ResultTimeoutError      W04  it has not ended yet (also a TimeoutError)
    ├── ResourceError               S01  a resource of the worker could not be opened, or has ended
    └── RunError                    seen by handlers and in a job's recorded error
        ├── CommitRefusedError      R01  the handler tried to commit the session that soniq-sa commits
        ├── LeaseLostError          R02  this worker no longer owns the job; its writes are rolled back
        ├── EntityGoneError         R03  the row that an argument refers to is not there
        ├── JobTimeoutError         R04  an attempt took too long (also a TimeoutError); for policies
        ├── InvalidResultError      R05  what a handler returned cannot be stored (also a TypeError)
        └── MiddlewareError         R06  a middleware did not call and await ``call_next()`` once

Each message says what happened, with which value, and what to do next; ``code`` is stable. The one
warning is `UnknownTaskWarning`.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID


class SoniqError(Exception):
    """Any error that soniq-sa raises on purpose."""

    code: ClassVar[str] = ""

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} [{self.code}]" if self.code else message


class ConfigurationError(SoniqError):
    """The program is set up wrongly.

    By itself, without a code: the message says which setting, call, hook or table is wrong.
    """


class MixinOrderError(ConfigurationError):
    """A mixin of soniq-sa stands behind the base, which maps the class before it has columns.

    Remedy: put the mixin first: ``class Job(JobMixin, Base)``.
    """

    code = "C01"


class TablesMissingError(ConfigurationError):
    """The metadata that `Soniq` was given holds no job table when one is first needed.

    Remedy: end the module of your models with ``include_tables(Base.metadata)``, and import it.
    """

    code = "C02"


class NoDatabaseError(ConfigurationError):
    """There is no engine, session factory or URL; or the URL is unreadable, or not PostgreSQL's.

    Remedy: ``Soniq(Base.metadata, sessionmaker=Session)``, or set ``SONIQ_SA_DATABASE_URL``.
    """

    code = "C03"


class NoDriverError(ConfigurationError):
    """A sync handler takes a session, and neither psycopg nor psycopg2 is installed.

    Remedy: ``pip install 'soniq-sa[psycopg]'``, or make the handler async.
    """

    code = "C04"


class TaskDefinitionError(ConfigurationError):
    """A function cannot be a task: its name is taken, or its signature cannot be stored.

    Remedy: the message names the parameter and what it can be. Import the types of annotations at
        run time, not under ``TYPE_CHECKING``. Name a task with ``@soniq.job(name=...)``.
    """

    code = "C05"


class OptionError(ConfigurationError, ValueError):
    """An option has a value that it does not take. Remedy: the message names the bounds."""

    code = "C06"


class UnknownOptionError(ConfigurationError, TypeError):
    """An option, setting or column does not exist. Remedy: the message names the nearest one."""

    code = "C07"


class UnknownQueueError(ConfigurationError, LookupError):
    """A queue is a near miss of a known one, or is not among the declared ones.

    Remedy: correct the name, or declare it: ``Soniq(..., queues=[...])``.
    """

    code = "C08"


class AppNotFoundError(ConfigurationError):
    """``--app`` (or ``SONIQ_SA_APP``) does not lead to a `Soniq`, or the import failed.

    Remedy: the message says what was tried. Start ``soniq-sa`` where your program is started.
    """

    code = "C09"


class EnqueueError(SoniqError):
    """A job is refused, at the line that enqueues it or at the flush."""


class InvalidArgumentsError(EnqueueError, TypeError):
    """Arguments do not fit the handler; in a job's recorded error: they do not fit any more.

    Remedy: the message names the argument and the value, and says what it can be.
    """

    code = "E01"


class EntityReferenceError(EnqueueError):
    """An ORM instance is deleted, in another session, in none, or not committed.

    Remedy: enqueue in the session of the instance, after ``session.add``.
    """

    code = "E02"


class SessionTypeError(EnqueueError, TypeError):
    """``enqueue`` was given no SQLAlchemy session. Remedy: ``enqueue(session, task, ...)``."""

    code = "E03"


class UnknownTaskError(EnqueueError, LookupError):
    """No task of that name is declared here, and the message names the nearest one.

    Remedy: correct it, or declare it: ``soniq.ref(name, ArgumentsModel)`` or ``@soniq.stub``.
    """

    code = "E04"


class UnknownTaskWarning(UserWarning):
    """Warn of a task name that nothing here declares: ``Soniq(..., unknown_tasks="warn")``."""


class DatabaseError(SoniqError):
    """Something is wrong with the database itself."""


class SchemaMissingError(DatabaseError):
    """The database lacks tables, columns or the trigger that the models have.

    Remedy: the message names the command; ``soniq-sa schema check`` shows every difference.
    """

    code = "D01"


class DatabaseUnreachableError(DatabaseError):
    """No connection could be made, by a command that does not wait for one; a worker does.

    Remedy: check the URL, the server and the network.
    """

    code = "D02"


class JobNotFoundError(DatabaseError, LookupError):
    """No job has that id, or it is not in the state that the call needs.

    Remedy: ask after the commit that makes the job, and before its row is deleted.
    """

    code = "D03"


class ReplayRefusedError(DatabaseError):
    """The fresh job would violate a constraint of the job table, such as a unique index of yours.

    ``replayed`` is how many other dead letters were replayed, and stay so; ``refused`` has the ids of
    those that were not. Remedy: the message names the constraint, and says what can be done.
    """

    code = "D04"
    replayed: int = 0
    refused: tuple[UUID, ...] = ()


class RowsHiddenError(DatabaseError):
    """Row-level security hides rows of a table from the role of an audit, which would prove nothing.

    Remedy: audit as the owner of the tables, or as the role worker or maintainer of ``soniq-sa grants``.
    """

    code = "D05"


class WaitError(SoniqError):
    """A job that was waited for has given no result."""


class JobDeadError(WaitError):
    """The job that was waited for is dead; the message has the reason and the last error.

    Remedy: mend what failed, then replay it: ``soniq.dead_letters``.
    """

    code = "W01"


class JobExpiredError(JobDeadError):
    """No worker was free for the job within ``expires_in``. Remedy: more workers, or more time."""

    code = "W02"


class JobCancelledError(WaitError):
    """The job that was waited for was cancelled. Remedy: none; catch it where that is ordinary."""

    code = "W03"


class ResultTimeoutError(WaitError, TimeoutError):
    """The job has not ended within the time that was given; it goes on.

    Remedy: wait longer, or ask again later; and not in the transaction that enqueues the job.
    """

    code = "W04"


class ResourceError(SoniqError):
    """A resource of the worker could not be opened, or has ended: the worker does not run.

    Remedy: mend what the error names. Jobs wait in their queues until a worker starts.
    """

    code = "S01"


class RunError(SoniqError):
    """Something happened inside the run of a job; handlers see it, and the job's recorded error."""


class CommitRefusedError(RunError):
    """A handler commits the session that soniq-sa commits together with the end of the job.

    Remedy: leave the call out. For an earlier commit: ``ctx.transaction()``.
    """

    code = "R01"


class LeaseLostError(RunError):
    """The job was taken over by another worker; this run is rolled back, and the other one counts.

    Remedy: none; if it is frequent, look for starved workers, or raise ``SONIQ_SA_LEASE``.
    """

    code = "R02"


class EntityGoneError(RunError):
    """The row that an argument refers to is not in the database when the job runs.

    Remedy: where that is normal, annotate the parameter as optional (``Order | None``).
    """

    code = "R03"


class InvalidResultError(RunError, TypeError):
    """What a handler returned does not fit its return annotation, or cannot be stored as JSON.

    Remedy: change the annotation, or return a key; ``-> Any`` drops what is not JSON.
    """

    code = "R05"


class MiddlewareError(RunError):
    """A middleware returned without calling ``call_next()``, called it twice, or did not await it.

    Remedy: ``await call_next()`` once. To keep a job from running, raise `Cancel` or `Snooze`.
    """

    code = "R06"


class JobTimeoutError(RunError, TimeoutError):
    """An attempt took longer than its timeout; `RetryPolicy`, ``retry_on`` and ``on_error`` see it.

    Remedy: a longer ``timeout``, or less work in one job.
    """

    code = "R04"
