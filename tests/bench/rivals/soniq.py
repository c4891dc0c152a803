"""Soniq: concurrency 16 (4 and 32 were no faster), plain asyncio: PostgreSQL is its limit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from soniq import Soniq

from tests.bench.script import Enqueue, EnqueueMany, Script, run
from tests.bench.shop import payload

AT_ONCE = 1_000
CONCURRENCY = 16


class SoniqScript(Script):
    def __init__(self) -> None:
        super().__init__()
        self.app = Soniq(self.url, log_level="ERROR")

        @self.app.job(name="noop")
        async def noop(i: int, s: str) -> None:
            del i, s
            self.tally.count()

        @self.app.job(name="stamp")
        async def stamp(i: int) -> None:
            self.tally.stamp(i)

    async def prepare(self, jobs: int) -> None:
        await self.app.setup()
        for first in range(0, jobs, AT_ONCE):
            part = range(first, min(first + AT_ONCE, jobs))
            await self.app.enqueue_many("noop", [payload(one) for one in part])
        await self.app.close()

    async def work(self, *, busy: bool) -> None:
        del busy
        await self.app.run_worker(concurrency=CONCURRENCY)

    @asynccontextmanager
    async def enqueueing(self) -> AsyncIterator[Enqueue]:
        yield lambda job: self.app.enqueue("stamp", args={"i": job})
        await self.app.close()

    @asynccontextmanager
    async def enqueueing_many(self) -> AsyncIterator[EnqueueMany]:
        async def enqueue(jobs: Sequence[int]) -> None:
            await self.app.enqueue_many("stamp", [{"i": job} for job in jobs])

        yield enqueue
        await self.app.close()

    async def add_to(self, session: Any, number: int) -> None:
        await session.flush()
        raw = await (await session.connection()).get_raw_connection()
        await self.app.enqueue("noop", args=payload(number), connection=raw.driver_connection)


if __name__ == "__main__":
    run(SoniqScript())
