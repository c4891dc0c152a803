"""What the library and the model hold between two steps, and how they are compared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from soniq_sa import JobHandle
from tests.lifecycle.actor import Actor
from tests.lifecycle.model import KEPT, Check, End, Job, Now, Shown
from tests.lifecycle.stage import Fence, Snapshot, Stage
from tests.lifecycle.tasks import Spec


@dataclass(eq=False)
class Player(Shown):
    """A worker: the real one, what it runs, and what it has noticed.

    suspects: The workers whose lock it has missed once, with the key of the lock.
    """

    number: int
    real: Actor
    runs: list[Run] = field(default_factory=list)
    suspects: dict[UUID, int] = field(default_factory=dict)
    has_looked_for_orphans: bool = False
    locked: bool = True

    def __repr__(self) -> str:
        return f"<worker {self.number}>"


@dataclass(eq=False)
class Run(Shown):
    """A run in some worker: its handler is at its gate, or it ended so and that is not written yet.

    began: When the transaction of its session began.
    """

    player: Player
    job: Job
    fence: Fence
    worker_id: UUID
    began: Now
    end: End | None = None
    reported: bool = False

    def __repr__(self) -> str:
        return f"<run of job {self.job.number}, claim {self.fence[1]}>"

    @property
    def valid(self) -> bool:
        """Tell whether its end would be written."""
        return self.job.belongs_to(self.fence[1], self.worker_id)


@dataclass
class WorkerRow:
    """What the worker table must say of a worker."""

    lock: int
    locked: bool = True
    expired: bool = False


class World:
    """The stage with so many workers, and the model beside it."""

    def __init__(self, stage: Stage, runner: asyncio.Runner, *, actors: int) -> None:
        self.stage = stage
        self._runner = runner
        self.jobs: dict[UUID, Job] = {}
        self.workers: dict[UUID, WorkerRow] = {}
        self.players: list[Player] = []
        self._number = 0
        self._step = 0
        self.do(stage.clear())
        self.seen: Snapshot = self.do(stage.look())
        for _ in range(actors):
            self.add_player()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Have the library do something; between two calls its event loop stands still."""
        return self._runner.run(work)

    def close(self) -> None:
        """End all workers."""
        for player in self.players:
            self.do(player.real.die())

    # The model

    def add_job(
        self, job_id: UUID, spec: Spec, queue: str, priority: int, max_attempts: int
    ) -> Job:
        """Expect a job that is due at once."""
        kept = {**KEPT, **spec.kept}
        job = Job(self.next_number(), job_id, spec.name, queue, priority, max_attempts, kept)
        self.jobs[job_id] = job
        return job

    def add_child(self, child: JobHandle[Any], run: Run | None) -> Job:
        """Expect a job that a handler has enqueued, in the transaction of ``run`` or a short one."""
        job = self.add_job(child.id, self.stage.specs["hasty"], "default", 100, 4)
        job.run_at = run.began if run else self.moment
        job.batched = True
        return job

    @property
    def moment(self) -> Now:
        """Return the time of this step, for what is written later."""
        return Now(earliest=self.seen.at, step=self._step + 1)

    def end_job(self, run: Run, end: End) -> None:
        """Expect that the end of a run is written, where the job is still the run's."""
        if run.valid:
            run.job.end(end, reported=run.reported)
            if run.job.state == "gone":
                del self.jobs[run.job.id]

    def add_player(self) -> None:
        """Start a worker."""
        player = Player(self.next_number(), self.do(self._enter()))
        self.players.append(player)
        self.workers[player.real.id] = WorkerRow(player.real.lock)

    async def _enter(self) -> Actor:
        actor = Actor(self.stage)
        await actor.enter()
        return actor

    def remove_player(self, player: Player) -> None:
        """Put another worker in the place of one that has ended."""
        self.players.remove(player)
        self.add_player()

    def next_number(self) -> int:
        """Return a number that names a job or worker in the printed program."""
        self._number += 1
        return self._number

    # Choosing

    def those(self, condition: Callable[[Job], object]) -> list[Job]:
        """Return the jobs that fulfil a condition, the oldest first."""
        return [job for job in self.jobs.values() if condition(job)]

    @property
    def runs(self) -> list[Run]:
        """Return all runs."""
        return [run for player in self.players for run in player.runs]

    @property
    def runs_at_gate(self) -> list[Run]:
        """Return the runs whose handlers have not ended."""
        return [run for run in self.runs if run.end is None]

    def draw_job(self, data: st.DataObject, condition: Callable[[Job], object]) -> Job:
        """Choose one of the jobs that fulfil a condition."""
        return data.draw(st.sampled_from(self.those(condition)), "job")

    def draw_player(self, data: st.DataObject) -> Player:
        """Choose a worker."""
        return data.draw(st.sampled_from(self.players), "worker")

    def draw_run(self, data: st.DataObject) -> Run:
        """Choose a run whose handler has not ended."""
        return data.draw(st.sampled_from(self.runs_at_gate), "run")

    # Comparing

    def compare(self) -> None:
        """Check that the tables are what the model says."""
        self._step += 1
        before, self.seen = self.seen, self.do(self.stage.look())
        check = Check(self._step, before.at, self.seen.at)
        assert self.seen.jobs.keys() == self.jobs.keys(), "jobs were lost, or came from nowhere"
        for job in self.jobs.values():
            check.job(job, self.seen.jobs[job.id])
        kept = {(job.id, claim): job for job in self.jobs.values() for claim in job.history}
        assert self.seen.attempts.keys() == kept.keys()
        for (_, claim), job in kept.items():
            check.attempt(job, claim, self.seen.attempts[job.id, claim])
        told = {one: (row["claim"], row["done"]) for one, row in self.seen.progress.items()}
        assert told == {job.id: job.progress for job in self.jobs.values() if job.progress}
        locks = {one: row["lock_key"] for one, row in self.seen.workers.items()}
        assert locks == {one: row.lock for one, row in self.workers.items()}
        _check_what_never_changes(before, self.seen)

    def check_fences(self) -> None:
        """Check that of all runs in the world at most one may write the end of a job."""
        held = [job for player in self.players for job in player.real.held.values()]
        fences = [(job.id, job.claims, job.worker_id) for job in held]
        for row in self.seen.jobs.values():
            if row["state"] == "processing":
                assert row["worker_id"] is not None, row
                assert row["finished_at"] is None, row
                assert fences.count((row["id"], row["claims"], row["worker_id"])) <= 1, row


def _check_what_never_changes(before: Snapshot, after: Snapshot) -> None:
    for job_id in before.jobs.keys() & after.jobs.keys():
        old, new = before.jobs[job_id], after.jobs[job_id]
        for name in ("claims", "attempts", "crashes"):
            assert new[name] >= old[name], (job_id, name)
        if old["finished_at"] is not None:
            changed = {name for name, value in old.items() if new[name] != value}
            assert changed <= {"replays", "keep_until"}, (job_id, changed)
