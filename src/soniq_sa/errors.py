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
    │   └── SessionTypeError        E03  the first argument is no SQLAlchemy session (also a TypeError)
    ├── DatabaseError
    │   ├── SchemaMissingError      D01  tables or columns are missing in the database
    │   ├── DatabaseUnreachableError D02 no connection could be made
    │   └── JobNotFoundError        D03  no such job, or none in the needed state (also a LookupError)
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

Each message says what happened, with which value, and what to do next; ``code`` is stable.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class SoniqError(Exception):
    """Stand above every error of soniq-sa."""

    code: ClassVar[str] = ""

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} [{self.code}]" if self.code else message


class ConfigurationError(SoniqError):
    """Stand above errors in how the program is set up."""


class MixinOrderError(ConfigurationError):
    """Say that a mixin was written behind the declarative base."""

    code = "C01"


class TablesMissingError(ConfigurationError):
    """Say that a metadata holds no job table."""

    code = "C02"


class NoDatabaseError(ConfigurationError):
    """Say that nothing tells which database to use."""

    code = "C03"


class NoDriverError(ConfigurationError):
    """Say which database driver has to be installed."""

    code = "C04"


class TaskDefinitionError(ConfigurationError):
    """Say why a function cannot be a task."""

    code = "C05"


class OptionError(ConfigurationError, ValueError):
    """Name an option and the value that it does not take."""

    code = "C06"


class UnknownOptionError(ConfigurationError, TypeError):
    """Name an option that does not exist, and the nearest one that does."""

    code = "C07"


class UnknownQueueError(ConfigurationError, LookupError):
    """Name a queue that nothing declares, and the nearest one that is declared."""

    code = "C08"


class AppNotFoundError(ConfigurationError):
    """Say where a ``Soniq`` was looked for."""

    code = "C09"


class EnqueueError(SoniqError):
    """Stand above refusals to enqueue a job."""


class InvalidArgumentsError(EnqueueError, TypeError):
    """Name the job argument that does not fit the handler's signature."""

    code = "E01"


class EntityReferenceError(EnqueueError):
    """Say why an ORM instance cannot be a job argument here."""

    code = "E02"


class SessionTypeError(EnqueueError, TypeError):
    """Say that ``enqueue`` was given something that is no SQLAlchemy session."""

    code = "E03"


class DatabaseError(SoniqError):
    """Stand above what is wrong with the database itself."""


class SchemaMissingError(DatabaseError):
    """Name the tables or columns that the database lacks, and the command that makes them."""

    code = "D01"


class DatabaseUnreachableError(DatabaseError):
    """Say which servers were tried, and why none answered."""

    code = "D02"


class JobNotFoundError(DatabaseError, LookupError):
    """Say that no job has that id, or that it is not in the state that the call needs."""

    code = "D03"


class WaitError(SoniqError):
    """Stand above what keeps a job that is waited for from giving a result."""


class JobDeadError(WaitError):
    """Say why a job is dead, with the error of its last attempt."""

    code = "W01"


class JobExpiredError(JobDeadError):
    """Say that a job was not begun before it expired."""

    code = "W02"


class JobCancelledError(WaitError):
    """Say that a job was cancelled, and why."""

    code = "W03"


class ResultTimeoutError(WaitError, TimeoutError):
    """Say that a job has not ended in the time that was given; it goes on."""

    code = "W04"


class ResourceError(SoniqError):
    """Name the resource of a worker that could not be opened, or say that one has ended."""

    code = "S01"


class RunError(SoniqError):
    """Stand above errors inside the run of a job."""


class CommitRefusedError(RunError):
    """Refuse a handler's own commit: the session is committed together with the job's end."""

    code = "R01"


class LeaseLostError(RunError):
    """Roll back a run whose job belongs to another worker by now."""

    code = "R02"


class EntityGoneError(RunError):
    """Name the entity that an argument refers to and that is not in the database."""

    code = "R03"


class InvalidResultError(RunError, TypeError):
    """Say why what a handler returned cannot be stored, or cannot be read back."""

    code = "R05"


class MiddlewareError(RunError):
    """Name the middleware that did not call and await ``call_next()`` once."""

    code = "R06"


class JobTimeoutError(RunError, TimeoutError):
    """Tell a `RetryPolicy`, ``retry_on`` and ``give_up_on`` that soniq-sa ended the attempt."""

    code = "R04"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known name, else an empty string."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""
