"""PgQueuer: one asyncpg connection and uvloop, as its command line tool has them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from pgqueuer import PgQueuer, Queries
from pgqueuer.models import Job

from tests.bench.script import Enqueue, EnqueueMany, Script, run
from tests.bench.shop import payload

AT_ONCE = 5_000
BATCH = 500
BATCH_IDLE = 10


class PgQueuerScript(Script):
    """Tables of default durability; batches of 500 were the fastest of 10, 100, 500 and 1,000."""

    async def prepare(self, jobs: int) -> None:
        connection = await asyncpg.connect(self.url)
        queries = Queries.from_asyncpg_connection(connection)
        await queries.install()
        for first in range(0, jobs, AT_ONCE):
            part = range(first, min(first + AT_ONCE, jobs))
            await _enqueue(queries, "noop", [payload(number) for number in part])
        await connection.close()

    async def work(self, *, busy: bool) -> None:
        connection = await asyncpg.connect(self.url)
        worker = PgQueuer.from_asyncpg_connection(connection)

        @worker.entrypoint("noop")
        async def noop(job: Job) -> None:
            json.loads(job.payload or b"{}")
            self.tally.count()

        @worker.entrypoint("stamp")
        async def stamp(job: Job) -> None:
            self.tally.stamp(json.loads(job.payload or b"{}")["i"])

        await worker.run(batch_size=BATCH if busy else BATCH_IDLE)

    @asynccontextmanager
    async def enqueueing(self) -> AsyncIterator[Enqueue]:
        connection = await asyncpg.connect(self.url)
        queries = Queries.from_asyncpg_connection(connection)

        async def enqueue(job: int) -> None:
            await queries.enqueue("stamp", json.dumps({"i": job}).encode())

        yield enqueue
        await connection.close()

    @asynccontextmanager
    async def enqueueing_many(self) -> AsyncIterator[EnqueueMany]:
        connection = await asyncpg.connect(self.url)
        queries = Queries.from_asyncpg_connection(connection)

        async def enqueue(jobs: Sequence[int]) -> None:
            await _enqueue(queries, "stamp", [{"i": job} for job in jobs])

        yield enqueue
        await connection.close()

    async def add_to(self, session: Any, number: int) -> None:
        await session.flush()
        raw = await (await session.connection()).get_raw_connection()
        queries = Queries.from_asyncpg_connection(raw.driver_connection)
        await queries.enqueue("noop", json.dumps(payload(number)).encode())


async def _enqueue(queries: Queries, entrypoint: str, payloads: list[dict[str, Any]]) -> None:
    encoded = [json.dumps(one).encode() for one in payloads]
    await queries.enqueue([entrypoint] * len(encoded), list(encoded), [0] * len(encoded))


if __name__ == "__main__":
    run(PgQueuerScript())
