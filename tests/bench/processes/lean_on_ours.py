"""Lean statements on the table of soniq-sa: what its columns and indexes cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tests.bench.processes.bare import BATCH, BareScript
from tests.bench.processes.ours import OurScript
from tests.bench.script import run

CLAIM = """
    UPDATE soniq_jobs SET state = 'processing', claims = claims + 1, worker_id = $1,
        claimed_at = now()
    WHERE id = ANY(ARRAY(
        SELECT id FROM soniq_jobs WHERE state = 'queued' AND queue = 'default'
        ORDER BY priority, run_at, id LIMIT $2 FOR UPDATE SKIP LOCKED))
    RETURNING id, task, args
"""
FINISH = """
    UPDATE soniq_jobs SET state = 'done', attempts = attempts + 1, finished_at = now()
    WHERE id = ANY($1) AND worker_id = $2
"""


class LeanOnOursScript(BareScript):
    async def prepare(self, jobs: int) -> None:
        await OurScript().prepare(jobs)

    async def claim(self, connection: Any, owner: UUID) -> Sequence[Any]:
        rows: Sequence[Any] = await connection.fetch(CLAIM, owner, BATCH)
        return rows

    async def finish(self, connection: Any, owner: UUID, rows: Sequence[Any]) -> None:
        await connection.execute(FINISH, [row["id"] for row in rows], owner)


if __name__ == "__main__":
    run(LeanOnOursScript())
