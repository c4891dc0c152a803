"""PgQueuer: one asyncpg connection, as its command line tool has it; SIGTERM as there."""

from __future__ import annotations

import asyncio
import inspect
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from pgqueuer import PgQueuer, Queries
from pgqueuer.models import Job

from tests.faults.figures.scripts.handlers import HANDLERS
from tests.faults.figures.scripts.script import Enqueue, Script, run


class PgQueuerScript(Script):
    async def prepare(self) -> None:
        connection = await asyncpg.connect(self.url)
        await Queries.from_asyncpg_connection(connection).install()
        await connection.close()

    async def work(self) -> None:
        connection = await asyncpg.connect(self.url)
        worker = PgQueuer.from_asyncpg_connection(connection)
        for name, handler in HANDLERS.items():
            worker.entrypoint(name)(_entrypoint(handler))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.shutdown.set)
        await worker.run()

    @asynccontextmanager
    async def enqueueing(self) -> AsyncIterator[Enqueue]:
        connection = await asyncpg.connect(self.url)
        queries = Queries.from_asyncpg_connection(connection)

        async def enqueue(name: str, number: int, seconds: float) -> None:
            await queries.enqueue(name, json.dumps([number, seconds]).encode())

        yield enqueue
        await connection.close()


def _entrypoint(handler: Callable[..., Any]) -> Callable[[Job], Any]:
    """Return a coroutine function that takes a job; what is sync runs in a thread, as documented."""

    async def entrypoint(job: Job) -> None:
        arguments = json.loads(job.payload or b"[]")
        if inspect.iscoroutinefunction(handler):
            await handler(*arguments)
        else:
            await asyncio.to_thread(handler, *arguments)

    return entrypoint


if __name__ == "__main__":
    run(PgQueuerScript())
