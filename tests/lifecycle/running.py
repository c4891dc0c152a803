"""Runs of a real worker, whose handlers follow a script."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from soniq_sa import JobContext
from soniq_sa.events import WorkerStarted
from tests.lifecycle.model import Job
from tests.lifecycle.producing import QUEUES
from tests.lifecycle.stage import Stage
from tests.lifecycle.steps import step
from tests.lifecycle.tasks import CANCELLED, DONE, ENDINGS, SPECS, Ending, Spec
from tests.lifecycle.trouble import crash
from tests.lifecycle.working import end_before_start, may_claim
from tests.lifecycle.world import World

WORKER_SPECS = [
    *SPECS,
    Spec("sync", is_sync=True),
    Spec("sync_writing", (0.0,), "session", is_sync=True, kept={"done": 0.0}),
    Spec("sync_stepping", (0.0,), "transaction", is_sync=True),
]
WITHDRAWN = Ending("withdrawn", CANCELLED)
"""The handler cancels its own job from outside, and waits until it is told."""

_WHY = "no longer wanted"


@dataclass
class Script:
    """How the handlers of each job end, one run after the other; those that are not in it are done."""

    parts: dict[UUID, list[Ending]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, job_id: UUID) -> Ending:
        """Return how the next run of a job is to end."""
        with self._lock:
            left = self.parts.get(job_id)
            return left.pop(0) if left else DONE


class ScriptedStage(Stage):
    """A stage whose handlers follow a script."""

    def __init__(self, url: str) -> None:
        super().__init__(url, WORKER_SPECS)
        self.script = Script()

    async def ending(self, ctx: JobContext) -> Ending:
        """Return what the script says."""
        ending = self.script.next(ctx.job_id)
        if ending is WITHDRAWN:
            await self.soniq.cancel(ctx.job_id, reason=_WHY)
            await asyncio.Event().wait()
        return ending

    def ending_sync(self, ctx: JobContext) -> Ending:
        """Return what the script says."""
        return self.script.next(ctx.job_id)


@step(weight=3, when=may_claim)
def crash_with_jobs(world: World, data: st.DataObject) -> None:
    crash(world, data, heard=False)


@step(weight=12, when=lambda world: world.those(lambda job: _may_run(world, job)))
def run_a_worker(world: World, data: st.DataObject) -> None:
    queues = data.draw(st.sampled_from([None, QUEUES[:1], QUEUES[1:]]), "queues")
    concurrency = data.draw(st.sampled_from([100, 3, 1]), "concurrency")
    parts = {
        job.id: data.draw(st.lists(_endings(world, job), max_size=3), f"script of job {job.number}")
        for job in world.those(lambda job: _may_run(world, job))
    }
    stage: Any = world.stage
    stage.script.parts = {job_id: list(part) for job_id, part in parts.items()}
    stage.children.clear()
    _forget(world)
    world.do(stage.bench.run_once(queues=queues, concurrency=concurrency))
    worker_id = stage.bench.events_of(WorkerStarted)[-1].worker_id
    for job in world.those(lambda job: _is_due(world, job)):
        job.state = "queued"
    left = world.those(lambda job: job.state == "queued")
    while left:
        job = left.pop()
        if queues is None or job.queue in queues:
            left += _expect_runs(world, job, worker_id, parts.get(job.id, []))
    _prune(world)


def _endings(world: World, job: Job) -> st.SearchStrategy[Ending]:
    withdrawn = [] if world.stage.specs[job.task].is_sync else [WITHDRAWN]
    return st.sampled_from([*ENDINGS, *withdrawn])


def _may_run(world: World, job: Job) -> bool:
    return job.state == "queued" or _is_due(world, job)


def _is_due(world: World, job: Job) -> bool:
    assert isinstance(job.run_at, datetime)
    return job.state == "scheduled" and job.run_at <= world.seen.at


def _forget(world: World) -> None:
    """Expect that a worker prunes what is over when it starts."""
    for job in world.those(lambda job: job.final and job.keep_until is not None):
        assert isinstance(job.keep_until, datetime)
        if job.keep_until <= world.seen.at:
            del world.jobs[job.id]


def _expect_runs(world: World, job: Job, worker_id: UUID, part: list[Ending]) -> list[Job]:
    """Expect the runs of a job, until it waits for a time or has ended; return its children."""
    spec = world.stage.specs[job.task]
    handles = [child for parent, child in world.stage.children if parent == job.id]
    children: list[Job] = []
    endings = iter(part)
    while job.state == "queued":
        job.claim(worker_id)
        attempt = job.attempts + 1
        if end := end_before_start(job):
            job.end(end)
            continue
        ending = next(endings, DONE)
        if ending is WITHDRAWN:
            job.cancel(_WHY)
        job.end(ending.end(spec, attempt))
        if ending.child:
            handle = handles.pop(0)
            if ending.commits or not spec.in_session:
                children.append(world.add_child(handle, None))
    assert not handles
    if job.state == "gone":
        del world.jobs[job.id]
    return children


def _prune(world: World) -> None:
    """Have nothing left of what need not be kept for a moment: the worker may have pruned it, or not."""
    world.do(world.players[0].real.parts.pruner.run_once())
    for job in world.those(lambda job: job.final and job.kept[job.state] == 0):
        del world.jobs[job.id]
