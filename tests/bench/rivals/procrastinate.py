"""Procrastinate: psycopg 3 with a pool, concurrency 20 (5 and 50 were no faster), uvloop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from procrastinate import App, PsycopgConnector

from tests.bench.script import Enqueue, EnqueueMany, Script, run
from tests.bench.shop import payload

AT_ONCE = 1_000
CONCURRENCY = 20


class ProcrastinateScript(Script):
    driver = "psycopg"

    def __init__(self) -> None:
        super().__init__()
        self.app = App(connector=PsycopgConnector(conninfo=self.url, max_size=CONCURRENCY + 5))

        @self.app.task(name="noop")
        async def noop(i: int, s: str) -> None:
            del i, s
            self.tally.count()

        @self.app.task(name="stamp")
        async def stamp(i: int) -> None:
            self.tally.stamp(i)

        self.noop, self.stamp = noop, stamp

    async def prepare(self, jobs: int) -> None:
        async with self.app.open_async():
            await self.app.schema_manager.apply_schema_async()
            for first in range(0, jobs, AT_ONCE):
                part = range(first, min(first + AT_ONCE, jobs))
                await self.noop.batch_defer_async(*map(payload, part))

    async def work(self, *, busy: bool) -> None:
        del busy
        async with self.app.open_async():
            await self.app.run_worker_async(concurrency=CONCURRENCY)

    @asynccontextmanager
    async def enqueueing(self) -> AsyncIterator[Enqueue]:
        async with self.app.open_async():
            yield lambda job: self.stamp.defer_async(i=job)

    @asynccontextmanager
    async def enqueueing_many(self) -> AsyncIterator[EnqueueMany]:
        async def enqueue(jobs: Sequence[int]) -> None:
            await self.stamp.batch_defer_async(*({"i": job} for job in jobs))

        async with self.app.open_async():
            yield enqueue

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        async with self.app.open_async():
            yield

    async def add_to(self, session: Any, number: int) -> None:
        await session.flush()
        raw = await (await session.connection()).get_raw_connection()
        deferrer = self.noop.configure(connection=raw.driver_connection)
        await deferrer.defer_async(**payload(number))


if __name__ == "__main__":
    run(ProcrastinateScript())
