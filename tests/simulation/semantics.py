"""What each statement of soniq-sa does, in plain Python; checked against PostgreSQL by a test.

Each function takes the transaction that it runs in and the parameters by name, and returns the rows. The
names and the order of the columns are those of the statement of the same name in
`soniq_sa.statements`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from soniq_sa.statements.upkeep import COMING_BACK
from soniq_sa.states import MAX_CRASHES, SUSPECT_CRASHES, JobState
from tests.simulation.ends import Ends, P, Rows
from tests.simulation.tables import FINAL, Attempt, Job, Transaction, Worker, moment


class Semantics(Ends):
    """The statements that a worker sends, and some that the application does."""

    def claim(self, tx: Transaction, p: P, *, suspects: bool = False, marked: bool = False) -> Rows:
        """Give jobs to a worker."""
        if p["owner"] not in tx.tables.workers:
            return []
        picked: list[Job] = []
        for place, queue in enumerate(p["queues"]):
            ready = [
                job
                for job in tx.all_jobs()
                if job.state == "queued"
                and (job.crashes >= SUSPECT_CRASHES) is suspects
                and (not suspects or job.crashes <= p["most_crashes"])
                and job.queue == queue
                and job.task in p["tasks"]
                and (not marked or _is_behind(job, p, place))
            ]
            ready.sort(key=lambda job: (0 if suspects else job.priority, job.run_at, job.id.int))
            picked += tx.free(ready)[: p["limit"]]
        return [
            self._claimed(
                tx,
                suspects,
                tx.set(
                    job,
                    state="processing",
                    claims=job.claims + 1,
                    worker_id=p["owner"],
                    claimed_at=tx.now,
                    reason=None,
                ),
            )
            for job in picked[: p["limit"]]
        ]

    def claim_suspects(self, tx: Transaction, p: P) -> Rows:
        """Give jobs to a worker that may take it down."""
        return self.claim(tx, p, suspects=True)

    def claim_marked(self, tx: Transaction, p: P) -> Rows:
        """Give jobs to a worker that come behind the last ones."""
        return self.claim(tx, p, marked=True)

    @staticmethod
    def _claimed(tx: Transaction, suspect: bool, job: Job) -> tuple[Any, ...]:  # noqa: FBT001 - of private use
        left = None if job.expires_at is None else job.expires_at - tx.now
        return (
            job.id,
            job.task,
            job.queue,
            job.priority,
            moment(job.run_at),
            job.args,
            job.attempts,
            job.max_attempts,
            job.claims,
            moment(0.0),
            None,
            left,
            None,
            None,
            *([job.crashes] if suspect else []),
        )

    def queues_with_jobs(self, tx: Transaction, _p: P) -> Rows:
        """Name the queues with due jobs."""
        return [(queue,) for queue in self._waiting_queues(tx)]

    @staticmethod
    def _waiting_queues(tx: Transaction) -> list[str]:
        return sorted({job.queue for job in tx.all_jobs() if job.state == "queued"})

    def promote_due(self, tx: Transaction, p: P) -> Rows:
        """Queue what is due."""
        due = [job for job in tx.all_jobs() if job.state == "scheduled" and job.run_at <= tx.now]
        due.sort(key=lambda job: job.run_at)
        return [(tx.set(job, state="queued").queue,) for job in tx.free(due)[: p["limit"]]]

    def next_due(self, tx: Transaction, _p: P) -> Rows:
        """Tell when the next job is due."""
        return [(self._left(tx),)]

    @staticmethod
    def _left(tx: Transaction) -> float | None:
        due = [job.run_at for job in tx.all_jobs() if job.state == "scheduled"]
        return min(due) - tx.now if due else None

    def owned_jobs(self, tx: Transaction, p: P) -> Rows:
        """Tell which jobs run for a worker."""
        return [
            (job.id, job.claims, job.cancel_requested_at is not None)
            for job in tx.all_jobs()
            if job.state == "processing" and job.worker_id == p["owner"]
        ]

    def owned_unlocked(self, tx: Transaction, p: P) -> Rows:
        """Tell which of them nobody has locked."""
        free = {job.id for job in tx.free(tx.all_jobs())}
        return [row for row in self.owned_jobs(tx, p) if row[0] in free]

    def register_worker(self, tx: Transaction, p: P) -> Rows:
        """Add a worker."""
        known = tx.tables.workers.get(p["owner"])
        beat_at = tx.now if known is None else known.beat_at
        tx.workers[p["owner"]] = Worker(p["owner"], p["lock"], beat_at, tx.now + p["lease"])
        return []

    def beat(self, tx: Transaction, p: P, *, looking: bool = False) -> Rows:
        """Renew a lease."""
        if p["owner"] not in tx.tables.workers:
            return []
        tx.workers[p["owner"]] = Worker(p["owner"], p["lock"], tx.now, tx.now + p["lease"])
        tx.said.append((p["channel"], p["beat_number"]))
        peers = sum(worker.id != p["owner"] for worker in tx.all_workers())
        return [(peers, "", *(self._look(tx, p) if looking else ()))]

    def beat_looking(self, tx: Transaction, p: P) -> Rows:
        """Renew a lease, and tell what there is to do."""
        return self.beat(tx, p, looking=True)

    def _look(self, tx: Transaction, p: P) -> tuple[Any, ...]:
        jobs = list(tx.all_jobs())
        queued = [job for job in jobs if job.state == "queued"]
        running = [job for job in jobs if job.state == "processing"]
        return (
            self._left(tx),
            self._waiting_queues(tx),
            any(job.crashes >= SUSPECT_CRASHES for job in queued),
            any(job.worker_id == p["owner"] for job in running),
            any(job.worker_id not in tx.tables.workers for job in running),
            any(job.keep_until is not None and job.keep_until <= tx.now for job in jobs),
        )

    def remove_worker(self, tx: Transaction, p: P) -> Rows:
        """Remove a worker that leaves."""
        tx.workers[p["owner"]] = None
        return []

    def silent_workers(self, tx: Transaction, p: P) -> Rows:
        """Tell who seems to be dead."""
        found = []
        for worker in tx.all_workers():
            expired = _has_expired(tx, worker)
            unlocked = (
                worker.lock_key is not None
                and worker.beat_at > tx.tables.started_at
                and worker.lock_key not in tx.tables.held_keys
            )
            if worker.id != p["owner"] and (expired or unlocked):
                found.append((worker.id, worker.lock_key, expired))
        return found

    def rescue_jobs(self, tx: Transaction, p: P) -> Rows:
        """Take the jobs of dead workers."""
        named = set(zip(p["dead_ids"], p["dead_keys"], strict=True))
        gone = {
            worker.id
            for worker in tx.all_workers()
            if worker.id != p["owner"]
            and (_has_expired(tx, worker) or (worker.id, worker.lock_key) in named)
        }
        tx.workers.update(dict.fromkeys(gone))
        return self._put_back(tx, lambda owner: owner in gone)

    def rescue_orphans(self, tx: Transaction, _p: P) -> Rows:
        """Take the jobs that run for nobody."""
        return self._put_back(tx, lambda owner: owner not in tx.tables.workers)

    def _put_back(self, tx: Transaction, lost: Callable[[UUID | None], bool]) -> Rows:
        running = [
            job for job in tx.all_jobs() if job.state == "processing" and lost(job.worker_id)
        ]
        told = []
        for job in tx.free(running):
            hopeless = job.crashes + 1 >= MAX_CRASHES
            unwanted = job.cancel_requested_at is not None
            state = (
                JobState.CANCELLED if unwanted else JobState.DEAD if hopeless else JobState.QUEUED
            )
            over = unwanted or hopeless
            reason = job.reason if unwanted else "crashed worker" if hopeless else None
            tx.attempts.append(Attempt(job.id, job.claims, job.worker_id, "crashed"))
            _ = tx.set(
                job,
                state=state.value,
                crashes=job.crashes + 1,
                worker_id=None,
                finished_at=tx.now if over else None,
                keep_until=self._keep(tx, job, state) if over else None,
                reason=reason,
                error="The worker died while it ran this job." if hopeless else None,
            )
            told.append((job.id, job.task, job.queue, state.value))
        return told

    def prunable_jobs(self, tx: Transaction, p: P) -> Rows:
        """Return a page of jobs whose retention is over."""
        over = [job for job in tx.all_jobs() if self._is_over(tx, job)]
        over.sort(key=lambda job: job.keep_until or 0.0)
        return [(job.id, str(job.keep_until), False) for job in over[: p["page_size"]]]

    def prune_jobs(self, tx: Transaction, p: P) -> Rows:
        """Delete jobs whose retention is over."""
        found = [tx.job(job_id) for job_id in p["ids"]]
        jobs = tx.free(job for job in found if job is not None and self._is_over(tx, job))
        for job in jobs:
            tx.delete(job)
        return [(job.id,) for job in jobs]

    @staticmethod
    def _is_over(tx: Transaction, job: Job) -> bool:
        return job.keep_until is not None and job.keep_until <= tx.now and job.state in FINAL

    def cancel_job(self, tx: Transaction, p: P) -> Rows:
        """Cancel a job, or ask its worker to."""
        job = tx.job(p["job_id"])
        if job is None or job.finished_at is not None:
            return []
        (job,) = tx.own([job])
        waits = job.state in {"queued", "scheduled"}
        asked_at = tx.now if job.cancel_requested_at is None else job.cancel_requested_at
        changed = tx.set(
            job,
            state="cancelled" if waits else job.state,
            finished_at=tx.now if waits else None,
            keep_until=self._keep(tx, job, JobState.CANCELLED) if waits else None,
            cancel_requested_at=None if waits else asked_at,
            reason=p["why"] if p["why"] is not None else job.reason,
        )
        return [(changed.state,)]

    def effect(self, tx: Transaction, p: P) -> Rows:
        """Write what a handler writes."""
        tx.effects.append(p["job_id"])
        return []

    def notify(self, tx: Transaction, p: P) -> Rows:
        """Say something on a channel."""
        channel, payload = p["pg_notify_2"], p["pg_notify_3"]
        tx.said.append((channel, payload))
        return [("",)]


def _is_behind(job: Job, p: P, place: int) -> bool:
    mark = p["priorities"][place], p["times"][place], p["ids"][place]
    behind: bool = (job.priority, moment(job.run_at), job.id) > mark
    return behind and job.priority <= p["last_priorities"][place]


def _has_expired(tx: Transaction, worker: Worker) -> bool:
    return max(worker.expires_at, tx.tables.started_at + COMING_BACK) < tx.now
