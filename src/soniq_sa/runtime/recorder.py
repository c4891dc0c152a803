"""Writes how runs ended: one statement for all that ended while the last one was under way.

There is no timer. An idle worker writes each end at once; a busy one gathers them while PostgreSQL
works on the batch before. What could not be written stays here, and is written when the database is
back; the statements are fenced, so writing twice changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.events import Events, JobFailed, JobLost, JobsDone
from soniq_sa.models.channel import channel_of, wake_payload
from soniq_sa.models.roles import Models
from soniq_sa.options import DEFAULT_RETRY_DELAY
from soniq_sa.outcome import Done, Failed, Lost, Outcome, Released, Settled
from soniq_sa.runtime.failure import failed
from soniq_sa.runtime.jobs import HeldJob, HeldJobs
from soniq_sa.runtime.link import DatabaseAway, StatementRefused
from soniq_sa.runtime.service import Service
from soniq_sa.statements.enqueue import notify
from soniq_sa.statements.finish import finish_done, finish_failed, release_jobs

_SUCCESSES = (Done, Settled)
_BATCH = 500
"""More rows in one statement would not be cheaper."""


class Recorder(Service):
    """Gather outcomes, and write them in batches."""

    name = "recorder"

    def __init__(
        self,
        events: Events,
        engine: AsyncEngine,
        models: Models,
        held: HeldJobs,
        on_recorded: Callable[[list[HeldJob]], None],
    ) -> None:
        super().__init__(events, engine)
        self._models = models
        self._held = held
        self._on_recorded = on_recorded
        self._done = finish_done(models)
        self._failed = finish_failed(models)
        self._release = release_jobs(models)
        self._ended: list[HeldJob] = []
        self._repeating = False

    def add(self, job: HeldJob, outcome: Outcome) -> None:
        """Have ``outcome`` written."""
        job.outcome = outcome
        self._ended.append(job)
        self.wake()

    @property
    def pending(self) -> int:
        """Return how many ends are not written yet."""
        return len(self._ended)

    async def run_once(self) -> float | None:
        """Write what has ended so far."""
        batch = self._ended[:_BATCH]
        if not batch:
            return None
        try:
            await self._write(batch)
        except DatabaseAway:
            self._repeating = True
            raise
        self._repeating = False
        self._forget(batch)
        return 0 if self._ended else None

    def _forget(self, batch: list[HeldJob]) -> None:
        del self._ended[: len(batch)]
        for job in batch:
            self._held.remove(job)
        self._on_recorded(batch)

    async def _write(self, batch: list[HeldJob]) -> None:
        done: dict[tuple[UUID, int], list[HeldJob]] = defaultdict(list)
        failed: dict[UUID, list[HeldJob]] = defaultdict(list)
        released: dict[UUID, list[HeldJob]] = defaultdict(list)
        for job in batch:
            match job.outcome:
                case Done():
                    done[job.worker_id, job.claims].append(job)
                case Failed():
                    failed[job.worker_id].append(job)
                case Released():
                    released[job.worker_id].append(job)
                case Settled() | Lost() | None:
                    pass
        for (worker_id, claim), jobs in done.items():
            await self._write_done(worker_id, claim, jobs)
        for worker_id, jobs in failed.items():
            await self._write_failed(worker_id, jobs)
        for worker_id, jobs in released.items():
            await self._write_released(worker_id, jobs)
        self._emit_done(batch)

    async def _write_done(self, worker_id: UUID, claim: int, jobs: list[HeldJob]) -> None:
        """Write successes together; if one is refused, each by itself, and that one as a failure."""
        try:
            await self._write_successes(worker_id, claim, jobs)
        except StatementRefused as refusal:
            if len(jobs) > 1:
                for job in jobs:
                    await self._write_done(worker_id, claim, [job])
                return
            jobs[0].outcome = failed(refusal, DEFAULT_RETRY_DELAY)
            await self._write_failed(worker_id, jobs)

    async def _write_successes(self, worker_id: UUID, claim: int, jobs: list[HeldJob]) -> None:
        ids = [job.id for job in jobs]
        rows = await self.link.fetch(
            self._done, {"ids": ids, "claim_number": claim, "owner": worker_id}
        )
        if len(rows) < len(jobs):
            self._drop_lost(jobs, rows)

    async def _write_failed(self, worker_id: UUID, jobs: list[HeldJob]) -> None:
        """Write failures together; if one is refused, each by itself, and that one without text."""
        try:
            await self._write_failures(worker_id, jobs)
        except StatementRefused as refusal:
            if len(jobs) > 1:
                for job in jobs:
                    await self._write_failed(worker_id, [job])
                return
            failure = cast("Failed", jobs[0].outcome)
            jobs[0].outcome = replace(failure, error=f"(the error cannot be stored: {refusal})")
            await self._write_failures(worker_id, jobs)

    async def _write_failures(self, worker_id: UUID, jobs: list[HeldJob]) -> None:
        failures = [cast("Failed", job.outcome) for job in jobs]
        rows = await self.link.execute(
            self._failed,
            {
                "owner": worker_id,
                "ids": [job.id for job in jobs],
                "claim_numbers": [job.claims for job in jobs],
                "outcomes": [failure.outcome.value for failure in failures],
                "errors": [failure.error for failure in failures],
                "reasons": [failure.reason.value for failure in failures],
                "delays": [failure.delay for failure in failures],
            },
        )
        lost = self._drop_lost(jobs, rows)
        for job, failure in zip(jobs, failures, strict=True):
            if job not in lost:
                self.events.emit(
                    JobFailed(job.id, job.task, job.attempt, job.max_attempts, failure)
                )

    async def _write_released(self, worker_id: UUID, jobs: list[HeldJob]) -> None:
        rows = await self.link.execute(
            self._release,
            {
                "owner": worker_id,
                "ids": [job.id for job in jobs],
                "claim_numbers": [job.claims for job in jobs],
            },
        )
        if queues := {row.queue for row in rows}:
            channel = channel_of(self._models.jobs)
            await self.link.execute(notify(channel, wake_payload(queues)))

    def _drop_lost(self, jobs: list[HeldJob], rows: Sequence[Any]) -> list[HeldJob]:
        """Tell which rows another worker has; after a repetition they may just be written already."""
        written = {row[0] for row in rows}
        lost = [job for job in jobs if job.id not in written]
        for job in lost:
            job.outcome = Lost()
            if not self._repeating:
                self.events.emit(JobLost(job.id, job.task))
        return lost

    def _emit_done(self, batch: list[HeldJob]) -> None:
        if self.events:
            done = [job.id for job in batch if isinstance(job.outcome, _SUCCESSES)]
            if done:
                self.events.emit(JobsDone(done))
