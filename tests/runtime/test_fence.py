"""Every write after a claim is fenced: with another claim or another worker it changes nothing (P5)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Row

from soniq_sa import JobHandle, JobState
from soniq_sa.statements.claim import claim_jobs
from soniq_sa.statements.finish import (
    finish_deleted,
    finish_done,
    finish_otherwise,
    release_jobs,
)
from tests.runtime.bench import Bench

Fence = tuple[UUID, int, UUID]
"""Job, claim, worker."""


@dataclass
class Claimed:
    """A job that a worker has claimed, and the statements that write its end."""

    bench: Bench
    handle: JobHandle[Any]
    fence: Fence

    async def write(self, statement: str, fence: Fence) -> int:
        """Execute one of the statements with a fence, and return how many rows it wrote."""
        job, claim, worker = fence
        models, retention = self.bench.soniq.models, self.bench.soniq.tasks.retention()
        every = {"ids": [job], "owner": worker}
        match statement:
            case "finish":
                made: Any = finish_done(models, retention)
                every |= {"claim_number": claim}
            case "delete":
                made = finish_deleted(models)
                every |= {"claim_number": claim}
            case "release":
                made = release_jobs(models, retention)
                every |= {"claim_numbers": [claim]}
            case "fail" | "bury":
                made = finish_otherwise(models, retention)
                every |= {
                    "claim_numbers": [claim],
                    "consumed": [1],
                    "ends": ["dead"],
                    "outcomes": ["failed"],
                    "errors": ["no"],
                    "reasons": ["retries exhausted"],
                    "delays": [5.0 if statement == "fail" else None],
                }
            case _:
                raise AssertionError(statement)
        async with self.bench.engine.begin() as connection:
            return len((await connection.execute(made, every)).all())

    async def row(self) -> Row[Any]:
        """Return the row of the job."""
        return await self.bench.row(self.handle)


@pytest.fixture
async def claimed(bench: Bench) -> Claimed:
    @bench.task()
    async def task() -> None:
        raise AssertionError

    handle = await bench.soniq.enqueue(task)
    worker = uuid4()
    await bench.rows(
        "INSERT INTO soniq_workers (id, name, expires_at) VALUES (:id, 'x', now() + interval '1 h')",
        id=worker,
    )
    row = await claim(bench, worker)
    assert (row.id, row.claims) == (handle.id, 1)
    return Claimed(bench, handle, (handle.id, 1, worker))


async def claim(bench: Bench, worker: UUID) -> Row[Any]:
    """Claim the only job for a worker."""
    parameters = {"queues": ["default"], "tasks": ["task"], "limit": 10, "owner": worker}
    async with bench.engine.begin() as connection:
        (row,) = (await connection.execute(claim_jobs(bench.soniq.models), parameters)).all()
        return row


STATEMENTS = ["finish", "fail", "bury", "release", "delete"]
WRONG: dict[str, Callable[[Fence], Fence]] = {
    "an older claim": lambda fence: (fence[0], fence[1] - 1, fence[2]),
    "a later claim": lambda fence: (fence[0], fence[1] + 1, fence[2]),
    "another worker": lambda fence: (fence[0], fence[1], uuid4()),
    "another job": lambda fence: (uuid4(), fence[1], fence[2]),
}


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("wrong", WRONG)
async def test_a_wrong_fence_changes_no_row(claimed: Claimed, statement: str, wrong: str) -> None:
    before = await claimed.row()
    assert await claimed.write(statement, WRONG[wrong](claimed.fence)) == 0
    assert await claimed.row() == before
    assert await claimed.bench.attempts(claimed.handle) == []


@pytest.mark.parametrize("statement", STATEMENTS)
async def test_the_right_fence_changes_the_row(claimed: Claimed, statement: str) -> None:
    assert await claimed.write(statement, claimed.fence) == 1
    if statement == "delete":
        assert await claimed.bench.rows("SELECT 1 FROM soniq_jobs") == []
        return
    states = {"finish": "done", "fail": "scheduled", "bury": "dead", "release": "queued"}
    row = await claimed.row()
    assert row.state == states[statement]
    assert row.attempts == (0 if statement == "release" else 1)
    assert len(await claimed.bench.attempts(claimed.handle)) == (statement in {"fail", "bury"})


@pytest.mark.parametrize("first", STATEMENTS)
@pytest.mark.parametrize("second", STATEMENTS)
async def test_the_end_of_a_run_can_be_written_only_once(
    claimed: Claimed, first: str, second: str
) -> None:
    await claimed.write(first, claimed.fence)
    before = await claimed.bench.rows("SELECT * FROM soniq_jobs")
    assert await claimed.write(second, claimed.fence) == 0
    assert await claimed.bench.rows("SELECT * FROM soniq_jobs") == before
    assert len(before) == (first != "delete")


@pytest.mark.parametrize("statement", STATEMENTS)
async def test_a_run_that_lost_its_job_to_a_later_claim_changes_nothing(
    claimed: Claimed, statement: str
) -> None:
    _, _, worker = claimed.fence
    await claimed.write("release", claimed.fence)
    row = await claim(claimed.bench, worker)
    assert row.claims == 2
    before = await claimed.row()
    assert before.state == JobState.PROCESSING
    assert await claimed.write(statement, claimed.fence) == 0
    assert await claimed.row() == before


async def test_a_worker_that_is_not_registered_can_claim_nothing(bench: Bench) -> None:
    @bench.task()
    async def task() -> None:
        raise AssertionError

    await bench.soniq.enqueue(task)
    with pytest.raises(ValueError, match="not enough values"):
        await claim(bench, uuid4())
