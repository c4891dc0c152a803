"""What must hold at every commit of the virtual server, whatever goes wrong around it.

I1, I15  every job that was enqueued is there, or was deleted after its end
I3       the numbers of claims grow one by one, each is given to one worker, and ends once
I4       what is written under a claim that has ended changes nothing
I5       the effects of runs with a session are the recorded successes
I7       attempts and crashes are within their limits, and the history agrees
I8       a job that has ended stays as it is
I9       no run begins before its time, by the clock of the database
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from uuid import UUID

from soniq_sa.states import MAX_CRASHES
from tests.simulation.shop import SESSION, VOLATILE
from tests.simulation.tables import FINAL, Job, Tables, Transaction


class Violated(AssertionError):  # noqa: N818 - a finding, not an error of the program
    """Say which invariant does not hold."""


class Watch:
    """Looks at each commit before it is taken over."""

    def __init__(self, tables: Tables) -> None:
        self.enqueued: set[UUID] = set()
        self.deleted: set[UUID] = set()
        self._tables = tables
        tables.on_commit = self.look

    def look(self, transaction: Transaction) -> None:
        """Compare what a transaction writes with what was there."""
        effects = Counter(transaction.effects)
        for job_id, now in transaction.changes.items():
            before = self._tables.jobs.get(job_id)
            if before is None:
                must(now is not None, f"{job_id} was deleted twice")
                self.enqueued.add(job_id)
            elif now is None:
                self._deleted(before, transaction)
            else:
                self._changed(before, now, transaction)
                self._effects(before, now, effects[job_id])
        strangers = set(effects) - set(transaction.changes)
        must(not strangers, f"effects of {strangers} without an end")
        for kept in transaction.attempts:
            fence = kept.job_id, kept.claim
            must(fence not in self._tables.attempts, f"the claim of {kept} ended before")

    def look_at_all(self) -> None:
        """Count, between commits."""
        there = set(self._tables.jobs)
        lost = self.enqueued - there - self.deleted
        must(not lost, f"{lost} are lost")
        must(there <= self.enqueued, "a job that nobody enqueued")
        effects = Counter(self._tables.effects)
        for job in self._tables.jobs.values():
            wanted = job.task == SESSION and job.state == "done"
            must(effects[job.id] == wanted, f"{effects[job.id]} effects of {job}")
        crashes = Counter(
            one.job_id for one in self._tables.attempts.values() if one.outcome == "crashed"
        )
        for job in self._tables.jobs.values():
            must(crashes[job.id] == job.crashes, f"crashes are not those of the history: {job}")

    def _deleted(self, before: Job, transaction: Transaction) -> None:
        ended = before.state in FINAL or (before.task == VOLATILE and before.state == "processing")
        must(ended, f"deleted, and not ended: {before}")
        self.deleted.add(before.id)
        _ = transaction

    def _changed(self, before: Job, now: Job, transaction: Transaction) -> None:
        shown = f"{before} became {now}"
        if before.state in FINAL:
            must(now == replace(before, keep_until=now.keep_until), f"an end changed: {shown}")
        must(before.attempts <= now.attempts <= before.max_attempts, f"attempts: {shown}")
        must(before.crashes <= now.crashes <= MAX_CRASHES, f"crashes: {shown}")
        must((now.state in FINAL) == (now.finished_at is not None), f"half ended: {shown}")
        if now.state == "processing" and before.state != "processing":
            must(before.state == "queued", f"claimed: {shown}")
            must(now.claims == before.claims + 1, f"claimed: {shown}")
            must(now.run_at <= transaction.now, f"too early at {transaction.now}: {shown}")
            must(now.worker_id is not None, f"for nobody: {shown}")
        else:
            must(now.claims == before.claims, f"claims: {shown}")
        if now.state == "processing" == before.state:
            must(now.worker_id == before.worker_id, f"taken without a claim: {shown}")
        if before.state != "processing" and now.state not in {"processing", "cancelled"}:
            must(now.attempts == before.attempts, f"ended twice: {shown}")
            must(now.state in {"queued", "scheduled"}, f"ended without a run: {shown}")

    @staticmethod
    def _effects(before: Job, now: Job, effects: int) -> None:
        if effects:
            done = before.state == "processing" and now.state == "done"
            must(done and effects == 1, f"{effects} effects: {before} became {now}")


def must(holds: object, message: str) -> None:
    """Raise `Violated` unless it holds."""
    if not holds:
        raise Violated(message)
