"""Where the microseconds of one job go, step by step, in one process and one backend for each step."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from soniq_sa import AsyncSoniqSession
from soniq_sa.context import JobTransaction
from soniq_sa.ids import uuid7
from soniq_sa.outcome import Outcome
from soniq_sa.runtime.handler import AsyncHandler
from soniq_sa.runtime.jobs import HeldJob, JobDesk
from soniq_sa.runtime.runner import Runner
from soniq_sa.statements.claim import claim_jobs
from soniq_sa.statements.finish import finish_done
from tests.bench.app import Base, noop, soniq
from tests.bench.cpu import cpu_of
from tests.bench.plan import Plan, progress
from tests.bench.processes.our_statements import SETTINGS, Compiled, claim_values
from tests.bench.results import Measure, Results
from tests.bench.server import analyze
from tests.bench.shop import payload

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "profile"
JOBS = 10_000
BATCH = 200

_MEASURES = (Measure("python", "us CPU/job", 2), Measure("server", "us CPU/job", 2))
_NOTES = (
    (
        f"Means of {JOBS:,} jobs in batches of {BATCH}, the middle of the runs. An application does all of "
        "enqueue for a job, and a worker all of claim, run and finish."
    ),
    "flush: what SQLAlchemy and asyncpg do for one INSERT of all jobs, and PostgreSQL for its rows.",
    "claim, finish: `fetch` of asyncpg with the statements of soniq-sa, and PostgreSQL, commit included.",
)


@dataclass(slots=True)
class Clock:
    """Adds up the CPU time of steps, of this process and of a backend."""

    results: Results
    python: dict[str, float] = field(default_factory=dict)
    server: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str, backend: int | None = None) -> Iterator[None]:
        """Add what happens inside to the step."""
        before = cpu_of(backend) if backend else None
        began = time.process_time()
        yield
        spent = time.process_time() - began
        self.python[name] = self.python.get(name, 0.0) + spent
        if backend and before is not None:
            used = (cpu_of(backend) or before) - before
            self.server[name] = self.server.get(name, 0.0) + used

    def tell(self) -> None:
        """Add one run of every step to the results."""
        for name, spent in self.python.items():
            figures = {"python": spent / JOBS * 1e6}
            if name in self.server:
                figures["server"] = self.server[name] / JOBS * 1e6
            self.results.add(name, figures)


def measure(plan: Plan) -> Results:
    """Take each step by itself."""
    results = Results(NAME, "where the time of one job goes", _MEASURES, (), _NOTES)
    for run in range(plan.runs):
        progress(f"{NAME}: run {run + 1} of {plan.runs}")
        with plan.server.database() as url:
            gc.collect()
            clock = Clock(results)
            asyncio.run(_measure(clock, url))
            clock.tell()
    return results


async def _measure(clock: Clock, url: str) -> None:
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await _enqueue(clock, engine)
    analyze(url)
    await _claim_and_finish(clock, url)
    await _run(clock)
    await engine.dispose()


async def _enqueue(clock: Clock, engine: AsyncEngine) -> None:
    arguments = [payload(number) for number in range(JOBS)]
    noop.codec.encode((), arguments[0])  # which builds it
    with clock.step("enqueue: check and encode the arguments"):
        for one in arguments:
            noop.codec.encode((), one)
    with clock.step("enqueue: make an id"):
        for _ in arguments:
            uuid7()
    async with AsyncSoniqSession(engine) as session:
        backend = await _backend(session)
        with clock.step("enqueue: all of session.enqueue"):
            for one in arguments:
                session.enqueue(noop, **one)
        with clock.step("enqueue: flush", backend):
            await session.flush()
        with clock.step("enqueue: commit", backend):
            await session.commit()


async def _backend(session: AsyncSoniqSession) -> int:
    raw = await (await session.connection()).get_raw_connection()
    driver: Any = raw.driver_connection
    return int(driver.get_server_pid())


async def _claim_and_finish(clock: Clock, url: str) -> None:
    claim = Compiled(claim_jobs(soniq.models))
    finish = Compiled(finish_done(soniq.models, soniq.tasks.retention()))
    claiming, finishing = await asyncpg.connect(url), await asyncpg.connect(url)
    for connection in (claiming, finishing):
        await connection.execute(SETTINGS)
    owner = uuid4()
    await claiming.execute(
        "INSERT INTO soniq_workers (id, name, expires_at) VALUES ($1, 'bench', 'infinity')", owner
    )
    values = claim.arguments(**claim_values(owner) | {"limit": BATCH})
    while True:
        with clock.step("claim", claiming.get_server_pid()):
            rows = await claiming.fetch(claim.text, *values)
        if not rows:
            break
        ended = {"ids": [row["id"] for row in rows], "claim_number": 1, "owner": owner}
        with clock.step("finish", finishing.get_server_pid()):
            await finishing.fetch(finish.text, *finish.arguments(**ended))
    await claiming.close()
    await finishing.close()


async def _run(clock: Clock) -> None:
    text = noop.codec.encode((), payload(1)).text
    with clock.step("run: decode and check the arguments"):
        for _ in range(JOBS):
            noop.codec.decode(text)
    ids = [uuid4() for _ in range(JOBS)]
    parts = [ids[first : first + BATCH] for first in range(0, JOBS, BATCH)]
    with clock.step("run: note the claimed jobs"):
        held = [[_held(one, text) for one in part] for part in parts]
    ended = asyncio.Event()
    runner = _runner(ended.set)
    for batch in held:
        ended.clear()
        with clock.step("run: tasks, handlers and outcomes, with decoding"):
            runner.add(batch)
            await ended.wait()


def _held(job_id: UUID, text: str) -> HeldJob:
    return HeldJob(job_id, 0.0, job_id, "noop", "default", 100, _NOW, text, 0, 4, 1, _NOW)


def _runner(on_batch: Callable[[], None]) -> Runner:
    over: list[HeldJob] = []

    def note(job: HeldJob, _outcome: Outcome) -> None:
        over.append(job)
        if len(over) % BATCH == 0:
            on_batch()

    runner = Runner(concurrency=BATCH, job_timeout=300, on_end=note)
    runner.handlers = {"noop": AsyncHandler(noop, runner.start_clock, _DESK)}
    return runner


def _no_transaction(_job: HeldJob) -> JobTransaction:
    raise NotImplementedError


_NOW = datetime.now(UTC)
_DESK = JobDesk(lambda *_: None, _no_transaction)
