"""What the processes on bare asyncpg say to the database."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.dialects.postgresql.asyncpg import dialect

LEAN_CLAIM = """
    UPDATE soniq_jobs SET state = 'processing', claims = claims + 1, worker_id = $1,
        claimed_at = now()
    WHERE id = ANY(ARRAY(
        SELECT id FROM soniq_jobs WHERE state = 'queued' AND queue = 'default'
        ORDER BY priority, run_at, id LIMIT $2 FOR UPDATE SKIP LOCKED))
    RETURNING id, args::text
"""
LEAN_FINISH = """
    UPDATE soniq_jobs SET state = 'done', attempts = attempts + 1, finished_at = now()
    WHERE id = ANY($1::uuid[]) AND worker_id = $2
"""


class Compiled:
    """A statement of soniq-sa as text for asyncpg, and the order of its parameters."""

    def __init__(self, statement: Any) -> None:
        self._compiled = statement.compile(dialect=dialect())  # type: ignore[no-untyped-call]
        self.text = str(self._compiled)

    def arguments(self, **values: Any) -> list[Any]:
        """Return the parameters in their order."""
        every = self._compiled.construct_params(values)
        return [every[name] for name in self._compiled.positiontup]


async def register(connection: Any) -> UUID:
    """Add a worker, without which nothing is claimed; return its id."""
    owner = uuid4()
    await connection.execute(
        "INSERT INTO soniq_workers (id, name, expires_at) VALUES ($1, 'bench', 'infinity')", owner
    )
    return owner
