"""The NOTIFY channel of a job table, and what is said on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Table

DUE_HINT = "@"
"""Stands in a wake-up for jobs that have a time of their own: look when the next one is due."""

SUSPECT_HINT = "!"
"""Stands in a wake-up for jobs that may have taken a worker down: look for those as well."""

PEER_HINT = "+"
"""Stands in a wake-up for a worker that has just started: watch over it."""

AWAITED_HINT = "?"
"""Stands in a wake-up for somebody who waits for jobs to end: say which do, for some time."""

CANCEL_MARK = "~"
"""Stands in a wake-up before the id of a job that is to be cancelled where it runs."""

HINTS = frozenset({DUE_HINT, SUSPECT_HINT, PEER_HINT, AWAITED_HINT})

MAX_PAYLOAD = 7900
"""Bytes; PostgreSQL takes fewer than 8000."""

_MAX_NAME = 63
_IDS_IN_PAYLOAD = MAX_PAYLOAD // 33


def channel_of(jobs: Table) -> str:
    """Return the channel for the job table: its name, within PostgreSQL's 63 bytes."""
    return _fitting(f"soniq_sa:{jobs.fullname}")


def cancel_hint(job_id: UUID) -> str:
    """Return what is said of a running job that is to be cancelled."""
    return f"{CANCEL_MARK}{job_id.hex}"


def cancelled_ids(said: Iterable[str]) -> list[UUID]:
    """Return the running jobs that are to be cancelled."""
    return [UUID(one[1:]) for one in said if one.startswith(CANCEL_MARK)]


def without_hints(said: Iterable[str]) -> frozenset[str]:
    """Return the queues among what is said."""
    return frozenset(one for one in said if one not in HINTS and not one.startswith(CANCEL_MARK))


def ends_channel_of(jobs: Table) -> str:
    """Return the channel on which the ends of jobs are said, while somebody waits for some."""
    return _fitting(f"soniq_sa:{jobs.fullname}:ends")


def ends_payloads(ids: Sequence[UUID]) -> list[str]:
    """Return what to say of jobs that have ended, in as many payloads as it takes."""
    return [
        ",".join(one.hex for one in ids[start : start + _IDS_IN_PAYLOAD])
        for start in range(0, len(ids), _IDS_IN_PAYLOAD)
    ]


def ended_ids(payload: str) -> list[UUID]:
    """Return the jobs that a payload names."""
    return [UUID(one) for one in payload.split(",")] if payload else []


def _fitting(name: str) -> str:
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
