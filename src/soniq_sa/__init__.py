"""Background jobs in SQLAlchemy's unit of work, on the PostgreSQL that is already there.

Models are in `soniq_sa.models`; everything else that an application imports is here. A name is loaded
when it is first asked for, so that ``import soniq_sa`` by itself costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from soniq_sa.app import Soniq
    from soniq_sa.context import JobContext, Locked, inject
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
        LeaseLostError,
        MixinOrderError,
        NoDatabaseError,
        NoDriverError,
        OptionError,
        RunError,
        SchemaMissingError,
        SessionTypeError,
        SoniqError,
        TablesMissingError,
        TaskDefinitionError,
        UnknownOptionError,
        UnknownQueueError,
    )
    from soniq_sa.handle import JobHandle
    from soniq_sa.options import JobOptions
    from soniq_sa.runtime.worker import Worker
    from soniq_sa.session import (
        AsyncSoniqSession,
        EnqueueMixin,
        SoniqSession,
        enqueue,
        enqueue_many,
    )
    from soniq_sa.states import JobState
    from soniq_sa.task import Task

__all__ = [
    "AppNotFoundError",
    "AsyncSoniqSession",
    "CommitRefusedError",
    "ConfigurationError",
    "DatabaseError",
    "DatabaseUnreachableError",
    "EnqueueError",
    "EnqueueMixin",
    "EntityGoneError",
    "EntityReferenceError",
    "InvalidArgumentsError",
    "JobContext",
    "JobHandle",
    "JobOptions",
    "JobState",
    "LeaseLostError",
    "Locked",
    "MixinOrderError",
    "NoDatabaseError",
    "NoDriverError",
    "OptionError",
    "RunError",
    "SchemaMissingError",
    "SessionTypeError",
    "Soniq",
    "SoniqError",
    "SoniqSession",
    "TablesMissingError",
    "Task",
    "TaskDefinitionError",
    "UnknownOptionError",
    "UnknownQueueError",
    "Worker",
    "enqueue",
    "enqueue_many",
    "inject",
]

_HOMES = {
    "soniq_sa.app": ("Soniq",),
    "soniq_sa.context": ("JobContext", "Locked", "inject"),
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
        "LeaseLostError",
        "MixinOrderError",
        "NoDatabaseError",
        "NoDriverError",
        "OptionError",
        "RunError",
        "SchemaMissingError",
        "SessionTypeError",
        "SoniqError",
        "TablesMissingError",
        "TaskDefinitionError",
        "UnknownOptionError",
        "UnknownQueueError",
    ),
    "soniq_sa.handle": ("JobHandle",),
    "soniq_sa.options": ("JobOptions",),
    "soniq_sa.runtime.worker": ("Worker",),
    "soniq_sa.session": (
        "AsyncSoniqSession",
        "EnqueueMixin",
        "SoniqSession",
        "enqueue",
        "enqueue_many",
    ),
    "soniq_sa.states": ("JobState",),
    "soniq_sa.task": ("Task",),
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
