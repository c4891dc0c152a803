"""How a run of a job ended: values, for one ``match`` in the recorder."""

from __future__ import annotations

from dataclasses import dataclass

from soniq_sa.states import AttemptOutcome, Reason


@dataclass(frozen=True, slots=True)
class Done:
    """The handler returned, and the end of the job is still to be written."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The handler returned, and its own session has committed the end of the job."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt did not succeed.

    summary: The error on one line.
    error: What to keep for people, already safe to store.
    reason: Why the job is dead if this was its last attempt.
    delay: Seconds until the next attempt; None if there must not be one.
    """

    summary: str
    error: str
    outcome: AttemptOutcome
    reason: Reason
    delay: float | None


@dataclass(frozen=True, slots=True)
class Released:
    """The worker is leaving: back to the queue, no attempt consumed."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The job belongs to somebody else by now: nothing is written."""


Outcome = Done | Settled | Failed | Released | Lost

DONE = Done()
SETTLED = Settled()
RELEASED = Released()
LOST = Lost()
