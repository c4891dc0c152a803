"""What the virtual server does is what PostgreSQL does: the same statements, the same rows (P3-P5).

Programs of random statements run on both, on the same first state. Times that a statement writes are
compared as times that are there or not, and as over or not over.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Executable, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from soniq_sa.engines import make_async_engine
from soniq_sa.statements.control import cancel_job
from tests.interleavings.arena import UNTIL_LEASES_END
from tests.simulation.catalogue import statements
from tests.simulation.semantics import Semantics
from tests.simulation.shop import SHOP, TASKS
from tests.simulation.sources import RETENTION
from tests.simulation.tables import Job, Tables, Transaction, Worker, moment

HOUR = 3600.0
STEPS = 70
NOW = 1_000_000.0
WORKERS = [UUID(int=number) for number in range(1, 4)]
ORDER = ("claim", "claim_marked", "finish_done", "finish_otherwise", "release_jobs", "beat")
"""Statements that come up more often."""


class Twins:
    """A database and its model, with the same rows."""

    def __init__(self, connection: AsyncConnection, semantics: Semantics, seed: int) -> None:
        self.pick = random.Random(seed)  # noqa: S311 - the same programs in each run
        self.models = SHOP.soniq.models
        self.statements = {
            **statements(self.models, RETENTION),
            "cancel_job": cancel_job(self.models, RETENTION),
        }
        del self.statements["notify"]
        self._connection = connection
        self._semantics = semantics
        self._tables = Tables()
        self._steps = 0

    async def begin(self) -> None:
        """Put jobs and workers into both."""
        await self._connection.execute(text(UNTIL_LEASES_END))
        began = (await self._connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
        for number in range(12):
            due = number % 5 != 0
            job = Job(
                UUID(int=100 + number),
                self.pick.choice(TASKS),
                queue=self.pick.choice(["one", "two"]),
                state="queued" if due else self.pick.choice(["scheduled", "queued"]),
                priority=self.pick.choice([50, 100]),
                run_at=NOW + self.pick.choice([-HOUR, HOUR if not due else -HOUR]) + number,
                max_attempts=2,
                crashes=self.pick.choice([0, 0, 1, 2]),
            )
            self._tables.jobs[job.id] = job
            values = {name: getattr(job, name) for name in _KEPT if name != "worker_id"}
            run_at = began + timedelta(seconds=job.run_at - NOW)
            await self._connection.execute(
                insert(self.models.jobs).values(**values, run_at=run_at, args={})
            )
        for one in WORKERS[:2]:
            await self.run("register_worker", {"owner": one, "lock": None, "lease": HOUR})

    async def step(self) -> None:
        """Run one statement on both."""
        name = self.pick.choice([*self.statements, *ORDER * 2])
        await self.run(name, self._parameters(name))

    async def run(self, name: str, parameters: dict[str, Any]) -> None:
        """Run a statement on both, and compare what it returns and what the tables are."""
        self._steps += 1
        transaction = Transaction(self._tables, now=NOW + self._steps / 1000)
        modelled = getattr(self._semantics, name)(transaction, parameters)
        transaction.commit()
        extra = {"worker_name": "one"} if name == "register_worker" else {}
        real = await self._execute(self.statements[name], parameters | extra)
        shown = f"step {self._steps}: {name} {parameters}"
        assert _comparable(name, real) == _comparable(name, modelled), shown
        assert await self._real_tables() == self._modelled_tables(), shown

    async def _execute(self, statement: Executable, parameters: dict[str, Any]) -> Sequence[Any]:
        result = await self._connection.execute(statement, parameters)
        return result.all() if result.returns_rows else []

    def _parameters(self, name: str) -> dict[str, Any]:
        pick = self.pick
        jobs = sorted(self._tables.jobs.values(), key=lambda job: job.id.int)
        some = pick.sample(jobs, min(len(jobs), pick.randint(1, 4)))
        running = [job for job in jobs if job.state == "processing"]
        if running and pick.random() < 0.8:
            some = pick.sample(running, min(len(running), 2))
        owner = (some[0].worker_id if some else None) or pick.choice(WORKERS)
        claims = [max(0, job.claims - (pick.random() < 0.1)) for job in some]
        delays = [pick.choice([None, 0.0, 0.0, HOUR]) for _ in some]
        return {
            "queues": ["two", "one"],
            "tasks": list(TASKS),
            "limit": pick.randint(1, 4),
            "most_crashes": pick.choice([1, 2]),
            "priorities": [pick.choice([-32768, 50, 100]) for _ in range(2)],
            "times": [moment(0.0).min.replace(tzinfo=moment(0.0).tzinfo)] * 2,
            "ids": [job.id for job in some],
            "last_priorities": [pick.choice([50, 32767]) for _ in range(2)],
            "owner": owner,
            "claim_number": claims[0] if claims else 1,
            "claim_numbers": claims,
            "results": ['{"a": 1}' for _ in some],
            "consumed": [pick.choice([0, 1]) for _ in some],
            "outcomes": [pick.choice([None, "failed"]) for _ in some],
            "errors": [pick.choice([None, "an error"]) for _ in some],
            "reasons": [pick.choice([None, "a reason"]) for _ in some],
            "delays": delays,
            "ends": [pick.choice(["dead", "cancelled"]) for _ in some],
            "lock": pick.choice([None, 7]),
            "lease": pick.choice([HOUR, HOUR, -HOUR]),
            "channel": "beats",
            "beat_number": "1",
            "dead_ids": [WORKERS[0]],
            "dead_keys": [7],
            "page_size": 5,
            "since": None,
            "job_id": some[0].id if some else WORKERS[0],
            "why": pick.choice([None, "unwanted"]),
        } | ({"ids": [UUID(int=0)] * 2} if name == "claim_marked" else {})

    async def _real_tables(self) -> list[Any]:
        at = (await self._connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
        jobs = (await self._connection.execute(self.models.jobs.select())).mappings().all()
        workers = (await self._connection.execute(self.models.workers.select())).mappings().all()
        attempts = (await self._connection.execute(self.models.attempts.select())).mappings().all()
        return [
            sorted(_of_job(job, job["run_at"] > at) for job in jobs),
            sorted(
                (str(one["id"]), str(one["lock_key"]), one["expires_at"] > at) for one in workers
            ),
            sorted((str(one["job_id"]), one["claim"], one["outcome"]) for one in attempts),
        ]

    def _modelled_tables(self) -> list[Any]:
        at = NOW + self._steps / 1000 + 0.0005
        tables = self._tables
        return [
            sorted(_of_job(vars(job), job.run_at > at) for job in tables.jobs.values()),
            sorted(_of_worker(one, at) for one in tables.workers.values()),
            sorted((str(one.job_id), one.claim, one.outcome) for one in tables.attempts.values()),
        ]


_KEPT = ("id", "task", "queue", "state", "priority", "max_attempts", "crashes", "worker_id")
_COUNTED = ("attempts", "claims", "reason", "error")
_TIMES = ("claimed_at", "finished_at", "keep_until", "cancel_requested_at", "result")


def _of_job(row: Any, later: bool) -> tuple[str, ...]:  # noqa: FBT001 - part of the row
    exact = [str(row[name]) for name in _KEPT + _COUNTED]
    return (*exact, *(str(row[name] is not None) for name in _TIMES), str(later))


def _of_worker(worker: Worker, at: float) -> tuple[str, str, bool]:
    return str(worker.id), str(worker.lock_key), worker.expires_at > at


def _comparable(name: str, rows: Sequence[Any]) -> list[str]:
    """Return rows without what differs by nature: times, and in what order they come."""
    if name == "prunable_jobs":
        return [str(row[0]) for row in rows]
    return sorted(str([_value(value) for value in row]) for row in rows)


def _value(value: Any) -> Any:
    if isinstance(value, float | datetime):
        return "a time"
    if isinstance(value, list):
        return sorted(value)
    return "" if value is None or value == "" else str(value)


@pytest.mark.parametrize("seed", range(8))
async def test_random_programs_do_the_same_on_postgresql(url: str, seed: int) -> None:
    await run(url, seed, Semantics(RETENTION))


async def test_a_model_that_differs_is_found(url: str) -> None:
    with pytest.raises(AssertionError, match="step"):
        await run(url, 0, Semantics(RETENTION, fenced=False))


async def run(url: str, seed: int, semantics: Semantics) -> None:
    """Run one program on both."""
    engine = make_async_engine(url).execution_options(isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            twins = Twins(connection, semantics, seed)
            await twins.begin()
            for _ in range(STEPS):
                await twins.step()
    finally:
        await engine.dispose()
