"""Writes how runs ended: one statement for all that ended while the last one was under way.

There is no timer. An idle worker writes each end at once; a busy one gathers them while PostgreSQL
works on the batch before. What could not be written stays here, and is written when the database is
back; the statements are fenced, so writing twice changes nothing.

A row may be locked for long, by a session of the handler's own whose connection has fallen silent. So
no statement waits long for a lock, and after one that was cut the batches begin small, and others come
first, until it is known which end has to wait.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.events import (
    JobCancelled,
    JobDied,
    JobFailed,
    JobLost,
    JobsDone,
    JobSnoozed,
    PartFailed,
)
from soniq_sa.link import DatabaseAway, Link, StatementRefused
from soniq_sa.models.channel import (
    DUE_HINT,
    channel_of,
    ends_channel_of,
    ends_payloads,
    wake_payload,
)
from soniq_sa.models.roles import Models
from soniq_sa.outcome import (
    DONE,
    Cancelled,
    Done,
    Failed,
    Lost,
    Otherwise,
    Outcome,
    Released,
    Settled,
    Snoozed,
)
from soniq_sa.retention import Retention
from soniq_sa.runtime.ends import Deletions, end_rows, fence_rows, result_rows
from soniq_sa.runtime.failure import failed
from soniq_sa.runtime.jobs import HeldJob, HeldJobs
from soniq_sa.runtime.service import Service
from soniq_sa.statements.enqueue import notify
from soniq_sa.statements.finish import (
    finish_deleted,
    finish_done,
    finish_otherwise,
    finish_with_results,
    release_jobs,
)
from soniq_sa.states import JobState
from soniq_sa.subscribers import Events

SAY_ENDS_FOR = 60.0
"""Seconds for which the ends of jobs are said after somebody has asked for that."""

_BATCH = 500
"""More rows in one statement would not be cheaper."""
_LOCK_WAIT = 2.0
"""Seconds that a statement waits for a locked row at most."""


class Recorder(Service):
    """Gather outcomes, and write them in batches."""

    name = "recorder"

    def __init__(
        self,
        events: Events,
        engine: AsyncEngine,
        models: Models,
        held: HeldJobs,
        *,
        retention: Retention,
        deletions: Deletions,
        on_sent: Callable[[], None],
        on_recorded: Callable[[list[HeldJob]], None],
    ) -> None:
        """Prepare.

        on_sent, on_recorded: Called when ends are on their way, and when they are written.
        ``released`` counts the jobs that were given back.
        """
        super().__init__(events, engine)
        self.link = Link(engine, lock_wait=_LOCK_WAIT)
        self._models = models
        self._held = held
        self._on_sent = on_sent
        self._on_recorded = on_recorded
        self._ends_channel = ends_channel_of(models.jobs)
        self._deletions = deletions
        self._deleted = finish_deleted(models)
        self._done = finish_done(models, retention)
        self._with_results = finish_with_results(models, retention)
        self._otherwise = finish_otherwise(models, retention)
        self._release = release_jobs(models, retention)
        self._ended: list[HeldJob] = []
        self._awaited_until = float("-inf")
        self._unsure: set[HeldJob] = set()
        self._most = _BATCH
        self.released = 0

    def add(self, job: HeldJob, outcome: Outcome) -> None:
        """Have ``outcome`` written."""
        job.outcome = outcome
        self._ended.append(job)
        self.wake()

    @property
    def pending(self) -> int:
        """Return how many ends are not written yet."""
        return len(self._ended)

    def note_awaited(self) -> None:
        """Say which jobs end, for some time: somebody waits for one."""
        self._awaited_until = asyncio.get_running_loop().time() + SAY_ENDS_FOR

    async def run_once(self) -> float | None:
        """Write what has ended so far."""
        batch = self._ended[: self._most]
        if not batch:
            return None
        self._held.sent = len(batch)
        self._on_sent()
        try:
            await self._write(batch)
        except DatabaseAway:
            self._put_off(batch)
            raise
        finally:
            self._held.sent = 0
        self._most = min(2 * self._most, _BATCH)
        if asyncio.get_running_loop().time() < self._awaited_until:
            for payload in ends_payloads([job.id for job in batch]):
                await self.link.execute(notify(self._ends_channel, payload))
        return 0 if self._ended else None

    def _put_off(self, batch: list[HeldJob]) -> None:
        """Let others go before what is left: one at a time, for one of these may be what has to wait."""
        left = [job for job in batch if (job.id, job.claims) in self._held]
        self._unsure.update(left)
        self._ended = self._ended[len(left) :] + left
        self._most = 1

    def _note_written(self, jobs: list[HeldJob]) -> None:
        """Forget jobs of the batch whose ends are written; tell of them."""
        written = set(jobs)
        self._ended = [job for job in self._ended if job not in written]
        self._unsure -= written
        for job in jobs:
            self._held.remove(job)
        self._held.sent -= len(jobs)
        self._emit_done(jobs)
        self._on_recorded(jobs)

    async def _write(self, batch: list[HeldJob]) -> None:  # noqa: C901 - one case an outcome
        deleted: dict[Any, list[HeldJob]] = defaultdict(list)
        done: dict[Any, list[HeldJob]] = defaultdict(list)
        otherwise: dict[UUID, list[HeldJob]] = defaultdict(list)
        released: dict[UUID, list[HeldJob]] = defaultdict(list)
        settled: list[tuple[HeldJob, Done | Otherwise]] = []
        lost: list[HeldJob] = []
        for job in batch:
            match job.outcome:
                case Done() if self._deletions.include(job):
                    deleted[job.worker_id, job.claims].append(job)
                case Done(result=None):
                    done[job.worker_id, job.claims].append(job)
                case Done():
                    done[job.worker_id].append(job)
                case Failed() | Snoozed() | Cancelled():
                    otherwise[job.worker_id].append(job)
                case Released():
                    released[job.worker_id].append(job)
                case Settled(as_=as_):
                    settled.append((job, as_))
                case Lost() | None:
                    lost.append(job)
        for write, groups in (
            (self._delete_done, deleted),
            (self._write_done, done),
            (self._write_otherwise, otherwise),
            (self._write_released, released),
        ):
            for jobs in groups.values():
                await write(jobs)
                self._note_written(jobs)
        await self._announce_returns(settled)
        for job, end in settled:
            self._emit_end(job, end, died=not job.cancel_flag.is_set)
        if left := [job for job, _ in settled] + lost:
            self._note_written(left)

    async def _delete_done(self, jobs: list[HeldJob]) -> None:
        """Delete the jobs of successes together; if one is refused, mark all done for the pruner."""
        try:
            rows = await self.link.fetch(self._deleted, fence_rows(jobs))
        except StatementRefused:
            self._deletions.give_up()
            for has_result in (False, True):
                if group := [job for job in jobs if (job.outcome != DONE) is has_result]:
                    await self._write_done(group)
        else:
            if len(rows) < len(jobs):
                self._drop_lost(jobs, rows)

    async def _write_done(self, jobs: list[HeldJob]) -> None:
        """Write successes together; if one is refused, each by itself, and that one as a failure."""
        try:
            await self._write_successes(jobs)
        except StatementRefused as refusal:
            if len(jobs) > 1:
                for job in jobs:
                    await self._write_done([job])
                return
            jobs[0].outcome = failed(refusal, jobs[0])
            await self._write_otherwise(jobs)

    async def _write_successes(self, jobs: list[HeldJob]) -> None:
        owner = jobs[0].worker_id
        ended = [(job, cast("Done", job.outcome).result) for job in jobs]
        if ended[0][1] is None:
            rows = await self.link.fetch(self._done, fence_rows(jobs))
        else:
            rows = await self.link.execute(self._with_results, result_rows(owner, ended))
        if len(rows) < len(jobs):
            self._drop_lost(jobs, rows)

    async def _write_otherwise(self, jobs: list[HeldJob]) -> None:
        """Write other ends together; if one is refused, each by itself, and that one as a failure."""
        try:
            await self._write_ends(jobs)
        except StatementRefused as refusal:
            if len(jobs) > 1:
                for job in jobs:
                    await self._write_otherwise([job])
                return
            await self._write_refused(jobs[0], refusal)

    async def _write_refused(self, job: HeldJob, refusal: StatementRefused) -> None:
        """Write that an end was refused; if that is as well, leave the job to the next worker."""
        text = f"(the end cannot be stored: {refusal})"
        end = job.outcome if isinstance(job.outcome, Failed) else failed(refusal, job)
        job.outcome = replace(end, error=text)
        try:
            await self._write_ends([job])
        except StatementRefused:
            job.outcome = Lost()
            self.events.emit(PartFailed(self.name, f"the end of the job {job.id}: {refusal}"))

    async def _write_ends(self, jobs: list[HeldJob]) -> None:
        ends = [(job, cast("Otherwise", job.outcome)) for job in jobs]
        rows = await self.link.execute(self._otherwise, end_rows(jobs[0].worker_id, ends))
        lost = self._drop_lost(jobs, rows)
        written = [(job, end) for job, end in ends if job not in lost]
        states = {row.id: row.state for row in rows}
        for job, end in written:
            self._emit_end(job, end, died=states[job.id] == JobState.DEAD)
        again = [(job, end) for job, end in ends if job in lost and job in self._unsure]
        await self._announce_returns(written + again)

    async def _announce_returns(self, ends: Iterable[tuple[HeldJob, Done | Otherwise]]) -> None:
        """Tell all workers of jobs that are to run again: this one may be leaving, or be full."""
        said = {
            DUE_HINT if end.delay else job.queue
            for job, end in ends
            if isinstance(end, Failed | Snoozed) and end.delay is not None
        }
        if said:
            await self.link.execute(notify(channel_of(self._models.jobs), wake_payload(said)))

    async def _write_released(self, jobs: list[HeldJob]) -> None:
        rows = await self.link.execute(
            self._release,
            {
                "owner": jobs[0].worker_id,
                "ids": [job.id for job in jobs],
                "claim_numbers": [job.claims for job in jobs],
            },
        )
        self.released += len(rows)
        queues = {row.queue for row in rows}
        if len(rows) < len(jobs):  # some went back already, by a statement whose answer was lost
            queues |= {DUE_HINT, *(job.queue for job in jobs)}
        if queues:
            channel = channel_of(self._models.jobs)
            await self.link.execute(notify(channel, wake_payload(queues)))

    def _drop_lost(self, jobs: list[HeldJob], rows: Sequence[Any]) -> list[HeldJob]:
        """Tell which rows another worker has; after a lost answer they may just be written already."""
        written = {row[0] for row in rows}
        lost = [job for job in jobs if job.id not in written]
        for job in lost:
            job.outcome = Lost()
            if job not in self._unsure:
                self.events.emit(JobLost(job.id, job.task))
        return lost

    def _emit_end(self, job: HeldJob, end: Done | Otherwise, *, died: bool) -> None:
        """Tell of an end; ``died`` is not so if the job was asked to end, whatever became of it."""
        match end:
            case Done():
                pass
            case Failed():
                failed = JobFailed(job.id, job.task, job.attempt, job.max_attempts, end)
                self.events.emit(failed)
                if failed.is_final and died:
                    self.events.emit(JobDied(job.id, job.task, end.reason))
            case Snoozed():
                self.events.emit(JobSnoozed(job.id, job.task, end.delay, end.reason))
            case Cancelled():
                self.events.emit(JobCancelled(job.id, job.task, end.reason))

    def _emit_done(self, batch: list[HeldJob]) -> None:
        if self.events:
            done = [job for job in batch if _is_done(job.outcome)]
            if done:
                tasks = [job.task for job in done]
                self.events.emit(JobsDone([job.id for job in done], tasks))


def _is_done(outcome: Outcome | None) -> bool:
    return isinstance(outcome.as_ if isinstance(outcome, Settled) else outcome, Done)
