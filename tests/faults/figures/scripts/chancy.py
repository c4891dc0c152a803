"""Chancy: the async executor, concurrency 1,000, eager polling, default plugins; async handlers only."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chancy import Chancy, Job, Queue, Worker

from tests.faults.figures.scripts import handlers
from tests.faults.figures.scripts.script import Enqueue, Script, run

CONCURRENCY = 1_000


class ChancyScript(Script):
    def chancy(self) -> Chancy:
        log = logging.getLogger("chancy")
        log.setLevel(logging.WARNING)
        return Chancy(self.url, log=log)

    async def prepare(self) -> None:
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

    async def work(self) -> None:
        async with (
            self.chancy() as chancy,
            Worker(chancy, shutdown_timeout=int(self.drain)) as worker,
        ):
            await worker.wait_for_shutdown()

    @asynccontextmanager
    async def enqueueing(self) -> AsyncIterator[Enqueue]:
        async with self.chancy() as chancy:
            yield lambda name, number, seconds: chancy.push(
                Job(
                    func=f"{handlers.__name__}.{name}",
                    queue="default",
                    kwargs={"i": number, "seconds": seconds},
                )
            )


if __name__ == "__main__":
    run(ChancyScript())
