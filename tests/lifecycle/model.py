"""The life of a job as the documentation tells it: plain Python that knows no SQL.

A time is what it must be exactly, or `Now`: some time within the step that wrote it, plus seconds. Once
a step is checked, its times are those that were found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

FINAL = ("done", "cancelled", "dead")
WAITING = ("scheduled", "queued")
SUSPECT_AFTER = 1
DEAD_AFTER = 3
HOUR = 3600.0
DAY = 24 * HOUR


class Shown:
    """Have Hypothesis print a program with the ``repr`` of what was drawn, not with its fields."""

    def _repr_pretty_(self, printer: Any, _cycle: object) -> None:
        printer.text(repr(self))


@dataclass(frozen=True)
class Now:
    """The time of the step, by the database's clock, plus some seconds.

    earliest, step: Of an earlier step, if it is not the one that is being checked.
    """

    seconds: float = 0.0
    earliest: datetime | None = None
    step: int | None = None


Time = datetime | Now | None


@dataclass(frozen=True)
class End:
    """How a run ended.

    state: Where the job goes; ``again`` means back to the waiting ones.
    counts: Whether an attempt is consumed.
    kept: The outcome in the history of attempts; None keeps none.
    reason, error: What the row says then; of ``error`` a part is enough.
    delay: Seconds until the next attempt.
    """

    state: str
    counts: bool = True
    kept: str | None = None
    reason: str | None = None
    error: str | None = None
    result: Any = None
    delay: float = 0.0


RELEASED = End("released", counts=False)
LOST = End("lost", counts=False)
EXPIRED = End("dead", counts=False, reason="expired", error="before it expired")


@dataclass
class Attempt:
    """A row of the history."""

    worker_id: UUID | None
    started_at: Time
    outcome: str
    error: str | None
    finished_at: Time = field(default_factory=Now)


KEPT = {"done": DAY, "cancelled": 7 * DAY, "dead": None}
"""For how many seconds a job is kept whose task does not say; None is for ever."""


@dataclass
class Job(Shown):
    """What the row of a job must be.

    There is none any more in the state ``gone``: a job that is done, and is not to be kept at all.

    number: Its name in the printed program.
    late, broken: It has expired; its arguments do not fit the handler.
    order: The key of the order that its handler takes.
    progress: The claim, and how much is done.
    run_step, end_step: The steps that wrote `run_at` and `finished_at`.
    batched: That step may have written several in one statement, whose order is not known.
    """

    number: int
    id: UUID
    task: str
    queue: str
    priority: int
    max_attempts: int
    kept: Mapping[str, float | None] = field(default_factory=lambda: KEPT)
    state: str = "queued"
    run_at: Time = field(default_factory=Now)
    expires_at: Time = None
    attempts: int = 0
    claims: int = 0
    crashes: int = 0
    worker_id: UUID | None = None
    claimed_at: Time = None
    finished_at: Time = None
    keep_until: Time = None
    cancel_requested_at: Time = None
    cancel_reason: str | None = None
    reason: str | None = None
    error: str | None = None
    result: Any = None
    replay_of: UUID | None = None
    replays: int = 0
    history: dict[int, Attempt] = field(default_factory=dict)
    progress: tuple[int, float] | None = None
    late: bool = False
    broken: bool = False
    order: int | None = None
    run_step: int = 0
    end_step: int = 0
    batched: bool = False

    def __repr__(self) -> str:
        return f"<job {self.number}, {self.state}>"

    @property
    def final(self) -> bool:
        """Tell whether the job has ended."""
        return self.state in FINAL

    def belongs_to(self, claims: int, worker_id: UUID) -> bool:
        """Tell whether a write with this fence goes through."""
        return self.state == "processing" and (self.claims, self.worker_id) == (claims, worker_id)

    def claim(self, worker_id: UUID) -> None:
        self.state, self.worker_id, self.claimed_at = "processing", worker_id, Now()
        self.claims += 1
        self.reason = None

    def end(self, end: End, *, reported: bool = False) -> None:
        """Write the end of a run that has the job; ``reported`` if it said its progress."""
        self.attempts += end.counts
        if end.kept is not None:
            self.history[self.claims] = Attempt(
                self.worker_id, self.claimed_at, end.kept, end.error
            )
        match end.state:
            case "lost":
                return
            case "done" if self.kept["done"] == 0 and not reported:
                self.state = "gone"
            case "done":
                self._finish("done", None)
                self.error, self.result = None, end.result
            case "released":
                self._leave_worker("queued")
            case "cancelled":
                self._finish("cancelled", self.cancel_reason or end.reason)
            case _ if self.cancel_requested_at is not None:
                self.error = end.error or self.error
                self._finish("cancelled", self.cancel_reason)
            case "dead":
                self.error = end.error
                self._finish("dead", end.reason)
            case _ if end.counts and self.attempts >= self.max_attempts:
                self.error = end.error
                self._finish("dead", end.reason)
            case _:
                self.error = end.error or self.error
                self.reason = None if end.counts else end.reason
                self.run_at, self.batched = Now(end.delay), True
                self._leave_worker("scheduled" if end.delay else "queued")

    def crash(self) -> None:
        """Be taken from a worker that died."""
        self.crashes += 1
        self.history[self.claims] = Attempt(self.worker_id, self.claimed_at, "crashed", None)
        self.error = "The worker died" if self.crashes >= DEAD_AFTER else None
        if self.crashes >= DEAD_AFTER and self.cancel_requested_at is None:
            self._finish("dead", "crashed worker")
            self.worker_id = None
        else:
            self._leave_worker("queued")

    def cancel(self, reason: str | None) -> str:
        """Be cancelled from outside, and return the state then."""
        if self.state in WAITING:
            self._finish("cancelled", reason or self.reason)
        elif self.state == "processing":
            self.cancel_requested_at = self.cancel_requested_at or Now()
            self.cancel_reason = reason or self.cancel_reason
        return self.state

    def put_off(self, seconds: float) -> str:
        """Be given another time."""
        self.run_at, self.batched = Now(seconds), False
        self.state = "scheduled" if seconds else "queued"
        return self.state

    def replay(self, number: int, new_id: UUID) -> Job:
        """Count a replay, and return the fresh job."""
        self.replays += 1
        return Job(
            number,
            new_id,
            self.task,
            self.queue,
            self.priority,
            self.max_attempts,
            self.kept,
            replay_of=self.id,
            broken=self.broken,
            order=self.order,
            batched=True,
        )

    def _leave_worker(self, state: str) -> None:
        """Wait again, or end if that was asked for while it ran."""
        if self.cancel_requested_at is None:
            self.state = state
        else:
            self._finish("cancelled", self.cancel_reason)
        self.worker_id = None

    def _finish(self, state: str, reason: str | None) -> None:
        self.state, self.reason, self.finished_at = state, reason, Now()
        seconds = self.kept[state]
        self.keep_until = None if seconds is None else Now(seconds)


class Check:
    """Compares the model with what was found, and takes over the times that were found."""

    def __init__(self, step: int, since: datetime, until: datetime) -> None:
        self._step = step
        self._since = since
        self._until = until

    def job(self, job: Job, row: Mapping[str, Any]) -> None:
        """Compare a job with its row."""
        runs = job.state == "processing"
        wanted = {name: getattr(job, name) for name in _EXACT}
        wrong = {name: row[name] for name in _EXACT if row[name] != wanted[name]}
        assert not wrong, f"{job!r} has {wrong}"
        assert (row["replays"] or 0) == job.replays, job
        assert row["result"] == job.result, job
        assert row["reason"] == (job.cancel_reason if runs else job.reason), job
        self._error(job, job.error, row["error"])
        if isinstance(job.run_at, Now):
            job.run_step = job.run_at.step or self._step
        if isinstance(job.finished_at, Now):
            job.end_step = self._step
        for name in _TIMES:
            setattr(job, name, self._time(job, name, getattr(job, name), row[name]))
        if runs:
            job.claimed_at = self._time(job, "claimed_at", job.claimed_at, row["claimed_at"])

    def attempt(self, job: Job, claim: int, row: Mapping[str, Any]) -> None:
        """Compare an attempt with its row."""
        kept = job.history[claim]
        assert (row["worker_id"], row["outcome"]) == (kept.worker_id, kept.outcome), job
        self._error(job, kept.error, row["error"])
        kept.started_at = self._time(job, "started_at", kept.started_at, row["started_at"])
        kept.finished_at = self._time(job, "finished_at", kept.finished_at, row["finished_at"])

    def _time(self, job: Job, name: str, wanted: Time, found: datetime | None) -> datetime | None:
        if isinstance(wanted, Now):
            assert found is not None, (job, name)
            shift = timedelta(seconds=wanted.seconds)
            since = wanted.earliest or self._since
            assert since + shift <= found <= self._until + shift, (job, name, wanted)
        else:
            assert found == wanted, (job, name)
        return found

    @staticmethod
    def _error(job: Job, wanted: str | None, found: str | None) -> None:
        assert (found is None) == (wanted is None), (job, wanted, found)
        assert wanted is None or wanted in (found or ""), (job, found)


_EXACT = (
    "task",
    "queue",
    "priority",
    "max_attempts",
    "state",
    "attempts",
    "claims",
    "crashes",
    "worker_id",
    "replay_of",
)
_TIMES = ("run_at", "expires_at", "finished_at", "keep_until", "cancel_requested_at")
