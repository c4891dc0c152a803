"""The states of a job, and the reasons for which a job is dead.

scheduled ──due──▶ queued ──claim──▶ processing ──▶ done
    ▲                 ▲                  │
    │                 ├──release─────────┤   the worker is leaving: no attempt is consumed
    │                 ├──rescue──────────┤   the worker died: counted in ``crashes``
    └──────retry──────┴──────────────────┼─▶ dead
                                         └─▶ cancelled
"""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """The state of a job; the values are what the ``state`` column holds."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    PROCESSING = "processing"
    DONE = "done"
    CANCELLED = "cancelled"
    DEAD = "dead"


UNFINISHED = (JobState.SCHEDULED, JobState.QUEUED, JobState.PROCESSING)
"""The states of jobs that have something before them."""

SUSPECT_CRASHES = 1
"""A job that took part in this many crashes may be the cause: it is claimed by itself from then on."""

MAX_CRASHES = 3
"""A job that took part in this many crashes is dead."""


class Reason(StrEnum):
    """Why a job is dead; the values are what the ``reason`` column holds."""

    RETRIES_EXHAUSTED = "retries exhausted"
    TIMED_OUT = "timed out"
    CRASHED_WORKER = "crashed worker"
    ENTITY_GONE = "entity gone"
    INVALID_ARGUMENTS = "invalid arguments"
    INVALID_RESULT = "invalid result"
    GAVE_UP = "gave up"
    EXPIRED = "expired"
    DISCARDED = "discarded"


class AttemptOutcome(StrEnum):
    """How an attempt ended that did not succeed; the values are those of ``soniq_attempts.outcome``."""

    FAILED = "failed"
    TIMED_OUT = "timed out"
    CRASHED = "crashed"
    ENTITY_GONE = "entity gone"
    INVALID_ARGUMENTS = "invalid arguments"
    INVALID_RESULT = "invalid result"
    RETRIED = "retried"
    CANCELLED = "cancelled"
    DISCARDED = "discarded"
