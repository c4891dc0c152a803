"""Soniq: concurrency 16; its settings come from the environment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from soniq import Soniq

from tests.faults.figures.scripts.handlers import HANDLERS
from tests.faults.figures.scripts.script import Enqueue, Script, run

CONCURRENCY = 16


class SoniqScript(Script):
    def __init__(self) -> None:
        super().__init__()
        self.app = Soniq(self.url, log_level="WARNING")
        for name, handler in HANDLERS.items():
            self.app.job(name=name)(handler)

    async def prepare(self) -> None:
        await self.app.setup()
        await self.app.close()

    async def work(self) -> None:
        await self.app.run_worker(concurrency=CONCURRENCY)

    @asynccontextmanager
    async def enqueueing(self) -> AsyncIterator[Enqueue]:
        yield lambda name, number, seconds: self.app.enqueue(
            name, args={"i": number, "seconds": seconds}
        )
        await self.app.close()


if __name__ == "__main__":
    run(SoniqScript())
