"""Background jobs in SQLAlchemy's unit of work, on the PostgreSQL that is already there.

Models are in `soniq_sa.models`; everything else that an application imports is here. A name is loaded
when it is first asked for, so that ``import soniq_sa`` by itself costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from soniq_sa.app import Soniq
    from soniq_sa.asks import Cancel, Discard, Retry, Snooze
    from soniq_sa.audit import AuditFinding, AuditReport, AuditResult
    from soniq_sa.context import JobContext, Locked, inject
    from soniq_sa.dead_filter import DeadLetterFilters
    from soniq_sa.dead_letters import DeadLetter, DeadLetters, DeadLetterStats, ReplayOptions
    from soniq_sa.errors import (
        AppNotFoundError,
        CommitRefusedError,
        ConfigurationError,
        DatabaseError,
        DatabaseUnreachableError,
        EnqueueError,
        EntityGoneError,
        EntityReferenceError,
        InvalidArgumentsError,
        InvalidResultError,
        JobCancelledError,
        JobDeadError,
        JobExpiredError,
        JobNotFoundError,
        JobTimeoutError,
        LeaseLostError,
        MiddlewareError,
        MixinOrderError,
        NoDatabaseError,
        NoDriverError,
        OptionError,
        ReplayRefusedError,
        ResourceError,
        ResultTimeoutError,
        RowsHiddenError,
        RunError,
        SchemaMissingError,
        SessionTypeError,
        SoniqError,
        TablesMissingError,
        TaskDefinitionError,
        UnknownOptionError,
        UnknownQueueError,
        UnknownTaskError,
        UnknownTaskWarning,
        WaitError,
    )
    from soniq_sa.handle import JobHandle
    from soniq_sa.hooks import CallNext, NewJob
    from soniq_sa.options import JobOptions, Priority
    from soniq_sa.progress import Progress
    from soniq_sa.record import JobRecord
    from soniq_sa.retrying import RetryPolicy
    from soniq_sa.runtime.worker import Worker
    from soniq_sa.session import (
        AsyncSoniqSession,
        EnqueueMixin,
        SoniqSession,
        enqueue,
        enqueue_many,
    )
    from soniq_sa.states import JobState
    from soniq_sa.task import Task, TaskRef
    from soniq_sa.task_options import TaskOptions

__all__ = [
    "AppNotFoundError",
    "AsyncSoniqSession",
    "AuditFinding",
    "AuditReport",
    "AuditResult",
    "CallNext",
    "Cancel",
    "CommitRefusedError",
    "ConfigurationError",
    "DatabaseError",
    "DatabaseUnreachableError",
    "DeadLetter",
    "DeadLetterFilters",
    "DeadLetterStats",
    "DeadLetters",
    "Discard",
    "EnqueueError",
    "EnqueueMixin",
    "EntityGoneError",
    "EntityReferenceError",
    "InvalidArgumentsError",
    "InvalidResultError",
    "JobCancelledError",
    "JobContext",
    "JobDeadError",
    "JobExpiredError",
    "JobHandle",
    "JobNotFoundError",
    "JobOptions",
    "JobRecord",
    "JobState",
    "JobTimeoutError",
    "LeaseLostError",
    "Locked",
    "MiddlewareError",
    "MixinOrderError",
    "NewJob",
    "NoDatabaseError",
    "NoDriverError",
    "OptionError",
    "Priority",
    "Progress",
    "ReplayOptions",
    "ReplayRefusedError",
    "ResourceError",
    "ResultTimeoutError",
    "Retry",
    "RetryPolicy",
    "RowsHiddenError",
    "RunError",
    "SchemaMissingError",
    "SessionTypeError",
    "Snooze",
    "Soniq",
    "SoniqError",
    "SoniqSession",
    "TablesMissingError",
    "Task",
    "TaskDefinitionError",
    "TaskOptions",
    "TaskRef",
    "UnknownOptionError",
    "UnknownQueueError",
    "UnknownTaskError",
    "UnknownTaskWarning",
    "WaitError",
    "Worker",
    "enqueue",
    "enqueue_many",
    "inject",
]

_HOMES = {
    "soniq_sa.app": ("Soniq",),
    "soniq_sa.asks": ("Cancel", "Discard", "Retry", "Snooze"),
    "soniq_sa.audit": ("AuditFinding", "AuditReport", "AuditResult"),
    "soniq_sa.context": ("JobContext", "Locked", "inject"),
    "soniq_sa.dead_filter": ("DeadLetterFilters",),
    "soniq_sa.dead_letters": ("DeadLetter", "DeadLetterStats", "DeadLetters", "ReplayOptions"),
    "soniq_sa.errors": (
        "AppNotFoundError",
        "CommitRefusedError",
        "ConfigurationError",
        "DatabaseError",
        "DatabaseUnreachableError",
        "EnqueueError",
        "EntityGoneError",
        "EntityReferenceError",
        "InvalidArgumentsError",
        "InvalidResultError",
        "JobCancelledError",
        "JobDeadError",
        "JobExpiredError",
        "JobNotFoundError",
        "JobTimeoutError",
        "LeaseLostError",
        "MiddlewareError",
        "MixinOrderError",
        "NoDatabaseError",
        "NoDriverError",
        "OptionError",
        "ReplayRefusedError",
        "ResourceError",
        "ResultTimeoutError",
        "RowsHiddenError",
        "RunError",
        "SchemaMissingError",
        "SessionTypeError",
        "SoniqError",
        "TablesMissingError",
        "TaskDefinitionError",
        "UnknownOptionError",
        "UnknownQueueError",
        "UnknownTaskError",
        "UnknownTaskWarning",
        "WaitError",
    ),
    "soniq_sa.hooks": ("CallNext", "NewJob"),
    "soniq_sa.handle": ("JobHandle",),
    "soniq_sa.options": ("JobOptions", "Priority"),
    "soniq_sa.progress": ("Progress",),
    "soniq_sa.record": ("JobRecord",),
    "soniq_sa.retrying": ("RetryPolicy",),
    "soniq_sa.runtime.worker": ("Worker",),
    "soniq_sa.session": (
        "AsyncSoniqSession",
        "EnqueueMixin",
        "SoniqSession",
        "enqueue",
        "enqueue_many",
    ),
    "soniq_sa.states": ("JobState",),
    "soniq_sa.task": ("Task", "TaskRef"),
    "soniq_sa.task_options": ("TaskOptions",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name at its first use (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
