"""Chancy: the async executor, concurrency 1,000, eager polling, uvloop."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from chancy import Chancy, Job, Queue, Worker
from chancy import job as as_job
from psycopg.rows import dict_row

from tests.bench.cells import Cells, Tally
from tests.bench.script import Enqueue, EnqueueMany, Script, run
from tests.bench.shop import payload

AT_ONCE = 1_000
CONCURRENCY = 1_000
MODULE = "tests.bench.rivals.chancy"

tally = Tally(Cells.from_environment())


@as_job(queue="default")
async def noop(*, i: int, s: str) -> None:
    """Count that a job ran."""
    del i, s
    tally.count()


@as_job(queue="default")
async def stamp(*, i: int) -> None:
    """Note when the job started."""
    tally.stamp(i)


class ChancyScript(Script):
    driver = "psycopg"

    def chancy(self) -> Chancy:
        log = logging.getLogger("chancy")
        log.setLevel(logging.WARNING)
        return Chancy(self.url, log=log)

    async def prepare(self, jobs: int) -> None:
        async with self.chancy() as chancy:
            await chancy.migrate()
            await chancy.declare(
                Queue(
                    "default",
                    concurrency=CONCURRENCY,
                    executor=Chancy.Executor.Async,
                    eager_polling=True,
                ),
                upsert=True,
            )
            for first in range(0, jobs, AT_ONCE):
                part = range(first, min(first + AT_ONCE, jobs))
                async for _ in chancy.push_many([_job("noop", payload(one)) for one in part]):
                    pass

    async def work(self, *, busy: bool) -> None:
        del busy
        async with self.chancy() as chancy, Worker(chancy) as worker:
            await worker.wait_for_shutdown()

    @asynccontextmanager
    async def enqueueing(self) -> AsyncIterator[Enqueue]:
        async with self.chancy() as chancy:
            yield lambda number: chancy.push(_job("stamp", {"i": number}))

    @asynccontextmanager
    async def enqueueing_many(self) -> AsyncIterator[EnqueueMany]:
        async with self.chancy() as chancy:

            async def enqueue(jobs: Sequence[int]) -> None:
                async for _ in chancy.push_many([_job("stamp", {"i": one}) for one in jobs]):
                    pass

            yield enqueue

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        async with self.chancy() as self.producer:
            yield

    async def add_to(self, session: Any, number: int) -> None:
        await session.flush()
        raw = await (await session.connection()).get_raw_connection()
        async with raw.driver_connection.cursor(row_factory=dict_row) as cursor:
            await self.producer.push_ex(cursor, _job("noop", payload(number)))


def _job(name: str, arguments: dict[str, Any]) -> Job:
    """Return a job by the name that the worker imports, whichever module is ``__main__`` here."""
    return Job(func=f"{MODULE}.{name}", queue="default", kwargs=arguments)


if __name__ == "__main__":
    run(ChancyScript())
