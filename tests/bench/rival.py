"""PgQueuer, driven from Python; imported only where it is installed."""

from __future__ import annotations

import asyncio
import json

import asyncpg
from pgqueuer.adapters.persistence.queries import Queries

from tests.bench.app import payload
from tests.bench.server import analyze

ENTRYPOINT = "noop"
ENQUEUE_AT_ONCE = 5_000


def prepare_rival(url: str, jobs: int) -> None:
    """Create PgQueuer's tables, and enqueue ``jobs`` jobs that do nothing."""
    asyncio.run(_prepare(url, jobs))
    analyze(url)


async def _prepare(url: str, jobs: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        queries = Queries.from_asyncpg_connection(connection)
        await queries.install()
        numbers = range(jobs)
        for first in range(0, jobs, ENQUEUE_AT_ONCE):
            part = numbers[first : first + ENQUEUE_AT_ONCE]
            await queries.enqueue(
                [ENTRYPOINT] * len(part),
                [json.dumps(payload(number)).encode() for number in part],
                [0] * len(part),
            )
    finally:
        await connection.close()
