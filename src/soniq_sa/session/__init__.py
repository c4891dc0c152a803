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
from soniq_sa.session.unit_of_work import wake_after_commit

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
    "wake_after_commit",
]
