"""How a run of a job ended: values, for one ``match`` in the recorder."""

from __future__ import annotations

from dataclasses import dataclass

from soniq_sa.states import AttemptOutcome, Reason


@dataclass(frozen=True, slots=True)
class Done:
    """The handler returned, and the end of the job is still to be written.

    result: What it returned, as JSON; None for nothing.
    """

    result: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt did not succeed.

    summary: The error on one line.
    error: What to keep for people, already safe to store.
    reason: Why the job is dead if this was its last attempt.
    delay: Seconds until the next attempt; None if there must not be one.
    outcome: What is kept of the attempt; None if the handler was never called, which consumes none.
    """

    summary: str
    error: str
    outcome: AttemptOutcome | None
    reason: Reason
    delay: float | None


@dataclass(frozen=True, slots=True)
class Snoozed:
    """The handler put its job off; no attempt is consumed."""

    delay: float
    reason: str | None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The job is no longer wanted, says its handler."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class Settled:
    """The handler's own session has committed how the job goes on."""

    as_: Done | Failed | Snoozed | Cancelled


@dataclass(frozen=True, slots=True)
class Released:
    """The worker is leaving: back to the queue, no attempt consumed."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The job belongs to somebody else by now: nothing is written."""


Otherwise = Failed | Snoozed | Cancelled
"""How a run ends that is not done."""

Outcome = Done | Otherwise | Settled | Released | Lost

DONE = Done()
RELEASED = Released()
LOST = Lost()
