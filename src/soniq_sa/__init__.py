"""Background jobs in SQLAlchemy's unit of work, on the PostgreSQL that is already there.

Models are in `soniq_sa.models`; everything else that an application imports is here.
"""

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
