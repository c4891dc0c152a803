"""Enqueueing inside the application's sessions."""

from soniq_sa.session import unit_of_work
from soniq_sa.session.enqueueing import (
    AnySession,
    AsyncSoniqSession,
    EnqueueMixin,
    SoniqSession,
    enqueue,
    enqueue_committed,
    enqueue_many,
    sync_session,
)

__all__ = [
    "AnySession",
    "AsyncSoniqSession",
    "EnqueueMixin",
    "SoniqSession",
    "enqueue",
    "enqueue_committed",
    "enqueue_many",
    "sync_session",
    "unit_of_work",
]
