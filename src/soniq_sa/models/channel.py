"""The NOTIFY channel of a job table, and what is said on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import Table

DUE_HINT = "@"
"""Stands in a wake-up for jobs that have a time of their own: look when the next one is due."""

SUSPECT_HINT = "!"
"""Stands in a wake-up for jobs that may have taken a worker down: look for those as well."""

PEER_HINT = "+"
"""Stands in a wake-up for a worker that has just started: watch over it."""

HINTS = frozenset({DUE_HINT, SUSPECT_HINT, PEER_HINT})

MAX_PAYLOAD = 7900
"""Bytes; PostgreSQL takes fewer than 8000."""

_MAX_NAME = 63


def channel_of(jobs: Table) -> str:
    """Return the channel for the job table: its name, within PostgreSQL's 63 bytes."""
    name = f"soniq_sa:{jobs.fullname}"
    if len(name.encode()) <= _MAX_NAME:
        return name
    return f"soniq_sa:{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def wake_payload(queues: Iterable[str]) -> str:
    """Return what to say: the queues with new jobs; nothing (any queue) if they are too many."""
    payload = ",".join(sorted(queues))
    return payload if len(payload.encode()) <= MAX_PAYLOAD else ""


def woken_queues(payload: str) -> frozenset[str]:
    """Return the queues that a payload names; empty for any queue."""
    return frozenset(payload.split(",")) if payload else frozenset()
