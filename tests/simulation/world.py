"""One seed: a server, some worker processes, jobs, and what goes wrong; then a calm, and the end.

    safety: faults, for some tens of seconds ──▶ calm: all is mended ──▶ every job has ended ──▶ drained

Whatever is decided by chance comes from the seed, and nothing from outside: not the time, not the
randomness of the system. So a seed always tells the same story.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import random
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from soniq_sa import Cancel, JobContext, Retry, Snooze
from soniq_sa.events import Event, PartFailed
from soniq_sa.models.channel import cancel_hint, channel_of, wake_payload
from soniq_sa.runtime import heart, lease, stops, watch
from soniq_sa.subscribers import Events
from tests.simulation.catalogue import EFFECT
from tests.simulation.driver import Network
from tests.simulation.faults import Faults
from tests.simulation.loop import STRAND, VirtualLoop
from tests.simulation.process import Process, start_heart
from tests.simulation.semantics import Semantics
from tests.simulation.server import Server
from tests.simulation.shop import RESULT, SESSION, SHOP, TASKS, TIMEOUT
from tests.simulation.sources import KNOWN, RETENTION, built_once
from tests.simulation.tables import FINAL, Job
from tests.simulation.watch import Violated, Watch, must

_TASKS = (*TASKS, SESSION, SESSION)
_SCRIPTS: tuple[list[str], ...] = (
    ["done"],
    ["done"],
    ["done"],
    ["fail", "done"],
    ["fail", "fail", "done"],
    ["snooze", "done"],
    ["retry", "done"],
    ["cancel"],
    *[["long"]] * 5,
    ["kill", "done"],
    ["kill"],
    ["fail"],
)
_DRAINED = 40.0
"""Seconds within which a worker that was told to has ended."""
_LINK_DEADLINE = 10.0


@dataclass
class Story:
    """What happened in one seed."""

    seed: int
    trace: list[str] = field(default_factory=list)
    jobs: int = 0
    faults: int = 0
    steps: int = 0
    seconds: float = 0.0

    @property
    def digest(self) -> str:
        """Return a hash of everything that was told."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()


class World:
    """Everything of one seed."""

    def __init__(self, seed: int, *, fenced: bool = True) -> None:
        self.story = Story(seed)
        self.loop = VirtualLoop()
        self.loop.set_exception_handler(self._note_failure)
        self.pick = random.Random(f"{seed} world")  # noqa: S311 - the seed decides
        self.lease = self.pick.choice([3.0, 3.0, 6.0, 15.0])
        options: dict[str, Any] = {
            "lease": self.lease,
            "poll_interval": self.pick.choice([1.0, 5.0]),
            "concurrency": self.pick.choice([1, 2, 5]),
            "drain_timeout": 5.0,
        }
        self.server = Server(
            Semantics(RETENTION, fenced=fenced), KNOWN, self.database_time, self.tell
        )
        self.network = Network(self.loop, self.server, random.Random(f"{seed} network"), KNOWN)  # noqa: S311 - as above
        self.server.later = self.network.later
        self.watch = Watch(self.server.tables)
        self.processes = [
            Process(
                f"worker {number}",
                self.loop,
                self.network,
                options,
                self.pick.choice([0.0, 0.0, -3600.0, 86_400.0]),
            )
            for number in range(self.pick.randint(1, 4))
        ]
        self.faults = Faults(self)
        self._over = False
        self._random = random.Random(f"{seed} system")  # noqa: S311 - as above
        self._scripts: dict[UUID, list[str]] = {}

    def run(self) -> Story:
        """Tell the story; raise `Violated`."""
        with (
            built_once(),
            mock.patch.object(lease, "uuid4", self._uuid4),
            mock.patch.object(heart, "uuid4", self._uuid4),
            mock.patch.object(heart, "time", SimpleNamespace(monotonic=self.loop.time)),
            mock.patch.object(stops, "time", SimpleNamespace(monotonic=self.loop.time)),
            mock.patch.object(watch.Watch, "start"),  # a thread, on real time
            mock.patch.object(watch.Watch, "begin"),
            mock.patch.object(heart.secrets, "randbits", self._random.getrandbits),
            mock.patch.object(heart.Heart, "start", start_heart),
            mock.patch.object(logging.getLogger("soniq_sa"), "disabled", new=True),
        ):
            random.seed(self.story.seed)
            SHOP.act, SHOP.connect = self.act, self._connect
            SHOP.soniq.events = Events()
            SHOP.soniq.events.subscribe(self._hear)
            asyncio.set_event_loop(self.loop)
            gc.disable()  # what it finds when, depends on the seeds before
            try:
                self.loop.run_until_complete(self._live())
            finally:
                self.story.steps, self.story.seconds = self.loop.steps, self.loop.now
                self._over = True
                self._tear_down()
                gc.enable()
        return self.story

    def tell(self, what: str) -> None:
        """Note what happens."""
        if not self._over:
            self.story.trace.append(f"{self.loop.now:.6f} {what}")

    def database_time(self) -> float:
        """Return the time of the server."""
        return 1000.0 + self.loop.now

    async def act(self, ctx: JobContext, session: AsyncSession | None) -> Any:
        """Be the handler of every job: follow its script."""
        script = self._scripts[ctx.job_id]
        what = script.pop(0) if len(script) > 1 else script[0]
        process = STRAND.get().process
        self.tell(f"{process.name} starts {ctx.job_id} attempt {ctx.attempt}: {what}")
        if session is not None:
            await session.execute(EFFECT, {"job_id": ctx.job_id})
        await asyncio.sleep(self.pick.uniform(2, 8) if what == "long" else self.pick.expovariate(3))
        match what:
            case "kill":
                self.tell(f"{process.name} is killed by {ctx.job_id}")
                self.faults.kill(process, noticed=True)
                await asyncio.sleep(0)
            case "fail":
                raise ValueError(what)
            case "retry":
                raise Retry(self.pick.choice([0, 0.5]))
            case "snooze":
                raise Snooze(0.5)
            case "cancel":
                raise Cancel("unwanted")
        return {"said": "done"} if ctx.task == RESULT else None

    def enqueue(self) -> None:
        """Have the application commit a job."""
        if not self.server.up:
            return
        job_id = self._uuid4()
        task, now = self.pick.choice(_TASKS), self.database_time()
        later = self.pick.random() < 0.2
        job = Job(
            id=job_id,
            task=task,
            state="scheduled" if later else "queued",
            priority=self.pick.choice([100, 100, 50]),
            run_at=now + self.pick.uniform(0.1, 5.0) if later else now,
        )
        self._scripts[job_id] = list(self.pick.choice(_SCRIPTS))
        self.story.jobs += 1
        self.tell(f"enqueue {job_id} {task} {self._scripts[job_id]}")
        self.server.insert(job, (self._channel, wake_payload({"@" if later else job.queue})))

    def cancel(self) -> None:
        """Have somebody cancel a job, whatever it is doing."""
        jobs = sorted(self.server.tables.jobs, key=lambda one: one.int)
        if jobs:
            job_id = self.pick.choice(jobs)
            asked = self.server.outside("cancel_job", job_id=job_id, why=None)
            self.tell(f"cancel {job_id}: {asked}")
            if asked and self.pick.random() < 0.8:
                self.server.say(self._channel, cancel_hint(job_id))

    async def _live(self) -> None:
        for process in self.processes:
            process.start(self._rate)
        _ = [self.enqueue() for _ in range(self.pick.randint(0, 8))]
        await self.faults.run()
        self.tell("calm")
        await self.faults.mend()
        await self._until_all_have_ended()
        await self._drain()

    async def _until_all_have_ended(self) -> None:
        """Wait for as long as the jobs come on: a world may have more to do than slots to do it in."""
        patience = 3 * self.lease + _LINK_DEADLINE + TIMEOUT
        deadline, before = 0.0, None
        while left := [job for job in self.server.tables.jobs.values() if job.state not in FINAL]:
            if (now := {(job.id, job.claims, job.state) for job in left}) != before:
                deadline, before = self.loop.time() + patience, now
            must(self.loop.time() < deadline, f"nothing begins or ends for {patience:g} s: {left}")
            self.watch.look_at_all()
            for process in self.processes:
                must(not process.exited, f"{process.name} ended by itself")
            await asyncio.sleep(0.5)
        self.watch.look_at_all()
        must(len(self.watch.enqueued) == self.story.jobs, "not all jobs were enqueued")

    async def _drain(self) -> None:
        """End every worker, and look what it leaves behind."""
        self.tell("drain")
        self.faults.over = True
        for process in self.processes:
            process.drain()
        deadline = self.loop.time() + _DRAINED
        while late := [one.name for one in self.processes if not (one.dead or one.exited)]:
            must(self.loop.time() < deadline, f"{late} do not end")
            await asyncio.sleep(0.5)
        await asyncio.sleep(self.network.silence + 1)
        tables = self.server.tables
        must(not tables.holders, f"{tables.holders} are still locked")
        must(not self.server.backends, f"{self.server.backends} are still there")
        killed = sum(process.dead for process in self.processes)
        live = [one for one in tables.workers.values() if one.expires_at > self.database_time()]
        must(len(live) <= killed, f"{live} are still registered")

    def _tear_down(self) -> None:
        """End what was killed or is left, without a server: none of it is part of the story."""
        self.loop.failure = None
        self.loop.set_exception_handler(lambda *_: None)
        self.server.up = False
        for connection in [one for process in self.processes for one in process.connections]:
            connection.terminate()
        for _ in range(20):
            for process in self.processes:
                for strand in process.all_strands:
                    self.loop.go_on(strand)
            tasks = asyncio.all_tasks(self.loop)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.wait(tasks, timeout=100))
        SHOP.close()
        self.loop.close()
        asyncio.set_event_loop(None)

    def _hear(self, event: Event) -> None:
        process = STRAND.get().process
        self.tell(f"{process.name if process else '-'}: {type(event).__name__}")
        if isinstance(event, PartFailed) and not self.loop.failure:
            self.loop.failure = Violated(f"a part of {process.name} failed: {event}")

    def _note_failure(self, _loop: object, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if self.loop.failure is None:
            self.loop.failure = error or Violated(context["message"])

    async def _connect(self) -> Any:
        return await STRAND.get().process.connect()

    def _uuid4(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    @property
    def _rate(self) -> float:
        return 1.0 + self.pick.uniform(-0.0005, 0.0005)

    @property
    def _channel(self) -> str:
        return channel_of(SHOP.soniq.models.jobs)
