"""Workers of which no part is started, and handlers that wait until they are told how to end."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Row, text

from soniq_sa import JobContext
from soniq_sa.link import DatabaseAway, Link
from soniq_sa.runtime.beats import Beat
from soniq_sa.runtime.claimer import Served
from soniq_sa.runtime.host import Host
from soniq_sa.runtime.jobs import HeldJob, Verdict
from soniq_sa.runtime.parts import Parts
from soniq_sa.runtime.stops import StopRequests
from soniq_sa.statements.claim import claim_jobs
from soniq_sa.statements.finish import release_jobs
from soniq_sa.statements.upkeep import (
    beat,
    owned_jobs,
    register_worker,
    remove_worker,
    try_lock,
)
from tests.lifecycle.model import HOUR
from tests.lifecycle.stage import Fence, Stage
from tests.lifecycle.tasks import SPECS, Ending
from tests.runtime.bench import PATIENCE

MOST_CRASHES = 100
"""More than any job takes part in."""


@dataclass(frozen=True)
class Gate:
    """Where a handler waits."""

    ctx: JobContext
    opened: asyncio.Future[Ending]


class GatedStage(Stage):
    """A stage whose handlers wait at a gate, found by the flag that is the run's own."""

    def __init__(self, url: str) -> None:
        super().__init__(url, SPECS)
        self.gates: dict[int, Gate] = {}

    async def ending(self, ctx: JobContext) -> Ending:
        """Wait at the gate."""
        place = id(ctx.cancel_flag)
        self.gates[place] = Gate(ctx, asyncio.get_running_loop().create_future())
        try:
            return await self.gates[place].opened
        finally:
            del self.gates[place]


class DeafLink(Link):
    """A link that does not hear the next answer: what was asked has happened all the same."""

    deaf = False

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> Sequence[Row[Any]]:
        """Run one statement."""
        return self._heard(await super().execute(statement, parameters))

    async def fetch(
        self, statement: Executable, parameters: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        """Run a statement of the hot path."""
        return self._heard(await super().fetch(statement, parameters))

    def _heard(self, answer: Any) -> Any:
        deaf, self.deaf = self.deaf, False
        if deaf:
            raise DatabaseAway("the answer was lost")
        return answer


class Actor:
    """A worker of which no part is started: the test takes every step."""

    def __init__(self, stage: Stage) -> None:
        self._gates = stage.gates if isinstance(stage, GatedStage) else {}
        self.parts = Parts(
            stage.soniq,
            stage.settings,
            Served((), (), ()),
            stage.engine,
            resources={},
            make_lease_engine=lambda: stage.engine,
            listen_engine=stage.engine,
            on_empty=None,
            stops=StopRequests(0),
            host=Host(),
            on_stop=lambda: None,
        )
        self.parts.lease.note_peer()
        self.parts.recorder.link = self._recorder_link = DeafLink(stage.engine)
        self.held: dict[Fence, HeldJob] = {}
        self.lock = 0
        self._link = Link(stage.engine)
        models = stage.soniq.models
        self._claims = {flag: claim_jobs(models, suspects=flag) for flag in (False, True)}
        self._register, self._beat = register_worker(models), beat(models)
        retention = stage.soniq.tasks.retention(stage.settings.retention)
        self._owned, self._release = owned_jobs(models), release_jobs(models, retention)
        self._remove = remove_worker(models)

    @property
    def id(self) -> UUID:
        """Return the worker id, which changes when the lease is lost."""
        return self.parts.lease.worker_id

    async def enter(self) -> None:
        """Take a lock, and register."""
        self.lock = secrets.randbits(63)
        await self._link.execute(try_lock(), {"lock": self.lock})
        await self._write_row(self.id)

    async def _write_row(self, worker_id: UUID) -> None:
        values = {"owner": worker_id, "worker_name": "actor", "lock": self.lock, "lease": HOUR}
        await self._link.execute(self._register, values)

    async def lose_lock(self) -> None:
        """Lose what PostgreSQL drops with the connection."""
        await self._link.execute(text("SELECT pg_advisory_unlock_all()"))

    async def beat(self, *, lock_anew: bool) -> None:
        """Renew the lease; if the row is gone, drop the jobs and go on under a new id."""
        if lock_anew:
            self.lock = secrets.randbits(63)
            await self._link.execute(try_lock(), {"lock": self.lock})
        values = {"owner": self.id, "lock": self.lock, "lease": HOUR}
        if await self._link.execute(self._beat, values | {"channel": "x", "beat_number": "1"}):
            return
        new_id = UUID(int=secrets.randbits(128))
        await self._write_row(new_id)
        found = Beat(new_id, peers=1, direct=True, number=1)
        self.parts.lease.note_beat(found)
        await self.settle()

    async def enter_again(self) -> None:
        """Register under the same id, as after an answer that was lost."""
        await self._write_row(self.id)

    async def claim(
        self, queues: list[str], tasks: list[str], limit: int, *, suspects: bool, heard: bool
    ) -> list[HeldJob]:
        """Claim jobs and begin to run them; or, if the answer is not heard, do not know of them."""
        asked_at = asyncio.get_running_loop().time()
        rows = await self._link.execute(
            self._claims[suspects],
            {
                "queues": queues,
                "tasks": tasks,
                "limit": limit,
                "owner": self.id,
                **({"most_crashes": MOST_CRASHES} if suspects else {}),
            },
        )
        jobs = [HeldJob(self.id, asked_at, *row) for row in rows]
        if heard:
            self.held |= {(job.id, job.claims): job for job in jobs}
            self.parts.runner.add(jobs)
            await self.settle()
        return jobs

    async def compare(self) -> None:
        """Give back what the table says is this worker's and it does not hold."""
        rows = await self._link.execute(self._owned, {"owner": self.id})
        self.parts.runner.cancel_jobs([row.id for row in rows if row.cancelled])
        unknown = [row for row in rows if (row.id, row.claims) not in self.held]
        values = {
            "owner": self.id,
            "ids": [row.id for row in unknown],
            "claim_numbers": [row.claims for row in unknown],
        }
        await self._link.execute(self._release, values)
        await self.settle()

    async def finish(self, fence: Fence, ending: Ending) -> None:
        """Have a handler end."""
        self._gates[id(self.held[fence].cancel_flag)].opened.set_result(ending)
        await self.settle(fence)

    async def say_progress(self, fence: Fence, done: float) -> None:
        """Have a handler say how far it is, and write that."""
        self._gates[id(self.held[fence].cancel_flag)].ctx.progress(done)
        await asyncio.sleep(0)
        await self.parts.progress.run_once()

    async def time_out(self, fence: Fence) -> None:
        """Let the time of an attempt be over."""
        self.held[fence].deadline = 0.0
        await self.settle(fence)

    async def hear_of_cancel(self, job_id: UUID) -> None:
        """Be told that a job is to be cancelled."""
        self.parts.runner.cancel_jobs([job_id])
        await self.settle()

    async def write(self) -> None:
        """Write the ends of runs."""
        ended = [fence for fence, job in self.held.items() if job.outcome is not None]
        await self.parts.recorder.run_once()
        for fence in ended:
            del self.held[fence]

    async def write_without_hearing(self) -> None:
        """Write the ends of runs, and do not know that they are written."""
        self._recorder_link.deaf = True
        with contextlib.suppress(DatabaseAway):
            await self.parts.recorder.run_once()

    async def leave(self) -> None:
        """Give back what runs, and go."""
        self.parts.runner.close()
        self.parts.runner.cancel_all(Verdict.RELEASED)
        await self.settle()
        await self.write()
        await self._link.execute(self._remove, {"owner": self.id})
        await self._close()

    async def die(self) -> None:
        """End without another word; what a session held is rolled back by PostgreSQL."""
        self.parts.runner.cancel_all(Verdict.LOST)
        await self.settle()
        await self.lose_lock()
        await self._close()

    async def _close(self) -> None:
        parts = self.parts
        for part in (parts.recorder, parts.progress, parts.rescuer, parts.due_watch):
            await part.close()
        await self._link.close()

    async def settle(self, *ending: Fence) -> None:
        """Wait until each run has come to its gate, or to its end; those of ``ending`` to their end."""
        async with asyncio.timeout(PATIENCE):
            while any(self._moves(job, fence in ending) for fence, job in self.held.items()):  # noqa: ASYNC110 - many futures, over in no time
                await asyncio.sleep(0)

    def _moves(self, job: HeldJob, ending: bool) -> bool:  # noqa: FBT001 - one caller
        at_gate = id(job.cancel_flag) in self._gates
        return job.outcome is None and (ending or job.verdict is not None or not at_gate)
