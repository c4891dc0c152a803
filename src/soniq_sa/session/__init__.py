"""Enqueueing inside the application's sessions."""

from soniq_sa.session import unit_of_work
from soniq_sa.session.enqueueing import (
    AnySession,
    AsyncSoniqSession,
    EnqueueMixin,
    SoniqSession,
    checked_task,
    enqueue,
    enqueue_committed,
    enqueue_many,
    enqueue_many_committed,
    sync_session,
)
from soniq_sa.session.unit_of_work import say_ends_after_commit, wake_after_commit

__all__ = [
    "AnySession",
    "AsyncSoniqSession",
    "EnqueueMixin",
    "SoniqSession",
    "checked_task",
    "enqueue",
    "enqueue_committed",
    "enqueue_many",
    "enqueue_many_committed",
    "say_ends_after_commit",
    "sync_session",
    "unit_of_work",
    "wake_after_commit",
]
