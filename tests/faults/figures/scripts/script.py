"""One shape for the processes of all systems: ``python -m tests.faults.figures.scripts.… COMMAND``.

    prepare                              make the tables
    work                                 work until SIGTERM
    enqueue HANDLER SECONDS FIRST COUNT  commit so many jobs, one after the other
    produce EVERY                        commit a job every so many seconds, and note each commit

The database is in the environment. Only the standard library is imported.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from tests.faults.figures.diary import note

URL = "SONIQ_SA_DATABASE_URL"
DRAIN = "FIGURES_DRAIN"
"""The seconds that running jobs get at SIGTERM, where a system has such an option."""

Enqueue = Callable[[str, int, float], Awaitable[object]]
"""Takes the name of a handler, the number of the job, and seconds."""


class Script(ABC):
    """What a system can be asked to do."""

    def __init__(self) -> None:
        self.url = os.environ[URL]
        self.drain = float(os.environ.get(DRAIN, "30"))

    @abstractmethod
    async def prepare(self) -> None:
        """Make the tables."""

    @abstractmethod
    async def work(self) -> None:
        """Work until SIGTERM."""

    @abstractmethod
    def enqueueing(self) -> AbstractAsyncContextManager[Enqueue]:
        """Yield what enqueues and commits one job."""


def run(script: Script) -> None:
    """Do what the command line says."""
    command, *arguments = sys.argv[1:]
    match command:
        case "prepare":
            asyncio.run(script.prepare())
        case "work":
            asyncio.run(_work(script))
        case "enqueue":
            name, seconds, first, count = arguments
            asyncio.run(_enqueue(script, name, float(seconds), int(first), int(count)))
        case "produce":
            asyncio.run(_produce(script, float(arguments[0])))
        case _:
            raise SystemExit(f"unknown command {command}")


async def _work(script: Script) -> None:
    note("ready")
    await script.work()


async def _enqueue(script: Script, name: str, seconds: float, first: int, count: int) -> None:
    async with script.enqueueing() as enqueue:
        for number in range(first, first + count):
            await enqueue(name, number, seconds)


async def _produce(script: Script, every: float) -> None:
    number, next_at = 1_000_000, time.monotonic()
    async with script.enqueueing() as enqueue:
        while True:
            next_at = max(next_at + every, time.monotonic())
            await enqueue("nap", number, 0)
            note("commit", number)
            number += 1
            await asyncio.sleep(next_at - time.monotonic())
