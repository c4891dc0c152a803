"""How the statements of `soniq_sa.statements.finish` end runs, in plain Python; see `Semantics`."""

from __future__ import annotations

from typing import Any

from soniq_sa.retention import Retention
from soniq_sa.states import JobState
from tests.simulation.tables import Attempt, Job, Transaction

Rows = list[tuple[Any, ...]]
P = dict[str, Any]


class Ends:
    """The ends of runs; ``fenced`` is False for one of the mistakes that the simulation has to find."""

    def __init__(self, retention: Retention, *, fenced: bool = True) -> None:
        self._retention = retention
        self._fenced = fenced

    def finish_done(self, tx: Transaction, p: P) -> Rows:
        """Mark jobs done."""
        jobs = tx.own(self._held_together(tx, p))
        return [(self._done(tx, job).id,) for job in jobs]

    def finish_deleted(self, tx: Transaction, p: P) -> Rows:
        """Delete jobs that are done."""
        jobs = tx.own(self._held_together(tx, p))
        for job in jobs:
            tx.delete(job)
        return [(job.id,) for job in jobs]

    def finish_with_results(self, tx: Transaction, p: P) -> Rows:
        """Mark jobs done, with their results."""
        ended = dict(zip(p["ids"], p["results"], strict=True))
        jobs = tx.own(self._held(tx, p))
        return [(self._done(tx, job, result=ended[job.id]).id,) for job in jobs]

    def _done(self, tx: Transaction, job: Job, **values: Any) -> Job:
        return tx.set(
            job,
            state="done",
            attempts=job.attempts + 1,
            finished_at=tx.now,
            keep_until=self._keep(tx, job, JobState.DONE),
            error=None,
            reason=None,
            **values,
        )

    def finish_otherwise(self, tx: Transaction, p: P) -> Rows:
        """End runs that are not done."""
        names = ("consumed", "outcomes", "errors", "reasons", "delays", "ends")
        ends = dict(zip(p["ids"], zip(*(p[name] for name in names), strict=True), strict=True))
        written = []
        for job in tx.own(self._held(tx, p)):
            consumed, outcome, error, reason, delay, end = ends[job.id]
            over = delay is None or (consumed and job.attempts + consumed >= job.max_attempts)
            unwanted = job.cancel_requested_at is not None
            final = over or unwanted
            state = "cancelled" if unwanted else end if over else "scheduled" if delay else "queued"
            own_reason = None if end == "dead" else reason
            if unwanted:
                kept_reason = job.reason if job.reason is not None else own_reason
            else:
                kept_reason = reason if over or not consumed else None
            kept_as = (
                JobState.DEAD if over and end == "dead" and not unwanted else JobState.CANCELLED
            )
            changed = tx.set(
                job,
                state=state,
                attempts=job.attempts + consumed,
                run_at=job.run_at if final else tx.now + delay,
                finished_at=tx.now if final else None,
                keep_until=self._keep(tx, job, kept_as) if final else None,
                worker_id=job.worker_id if final else None,
                reason=kept_reason,
                error=error if error is not None else job.error,
            )
            if outcome is not None:
                tx.attempts.append(Attempt(job.id, job.claims, p["owner"], outcome))
            written.append((changed.id, changed.state))
        return written

    def release_jobs(self, tx: Transaction, p: P) -> Rows:
        """Put jobs back into their queues."""
        queues = []
        for job in tx.own(self._held(tx, p)):
            unwanted = job.cancel_requested_at is not None
            _ = tx.set(
                job,
                state="cancelled" if unwanted else "queued",
                finished_at=tx.now if unwanted else None,
                keep_until=self._keep(tx, job, JobState.CANCELLED) if unwanted else None,
                worker_id=None,
                claimed_at=None,
            )
            queues.append((job.queue,))
        return queues

    def _held_together(self, tx: Transaction, p: P) -> list[Job]:
        claims = [p["claim_number"]] * len(p["ids"])
        return self._held(tx, {**p, "claim_numbers": claims})

    def _held(self, tx: Transaction, p: P) -> list[Job]:
        """Return the jobs that the fence lets through."""
        found = [
            (tx.job(job_id), claim)
            for job_id, claim in zip(p["ids"], p["claim_numbers"], strict=True)
        ]
        return [
            job
            for job, claim in found
            if job is not None
            and (
                (job.claims, job.worker_id, job.finished_at) == (claim, p["owner"], None)
                or not self._fenced
            )
        ]

    def _keep(self, tx: Transaction, job: Job, state: JobState) -> float | None:
        span = self._retention.of(job.task, state)
        return None if span is None else tx.now + span
