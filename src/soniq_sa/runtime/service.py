"""The one shape of everything that loops in a worker.

    start() ──▶ run_once() ──▶ sleep until the pause is over, or wake() ──▶ run_once() ──▶ … stop()

``run_once`` returns the seconds until it wants to run again; None means: not until woken, and 0: before
anything else that is ready, so it must have waited for something itself. If the database is away the
service says so, waits with growing pauses, and comes back by itself.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.events import DatabaseBack, DatabaseLost, PartFailed
from soniq_sa.link import Backoff, DatabaseAway, Link, StatementCut, StatementRefused
from soniq_sa.runtime.trace import trace_of
from soniq_sa.statements.schema import ping
from soniq_sa.subscribers import Events


class Service(ABC):
    """A part of the worker that runs again and again in a task, with a connection of its own."""

    name = "service"

    def __init__(self, events: Events, engine: AsyncEngine) -> None:
        self.events = events
        self.link = Link(engine)
        self._wake = asyncio.Event()
        self._backoff = Backoff()
        self._lost = False
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def run_once(self) -> float | None:
        """Do what there is to do; return the seconds until the next time, None: until woken."""

    def start(self) -> None:
        """Begin to run in a task of its own."""
        self._task = asyncio.create_task(self._run(), name=f"soniq-sa {self.name}")

    def wake(self) -> None:
        """Have it run now, or again at once if it is running."""
        self._wake.set()

    def doubt(self) -> None:
        """Use a new connection from now on: the one that is held may be half-open."""
        self.link.doubt()

    def end(self) -> None:
        """Let no other turn begin."""
        self._stopping.set()
        self._wake.set()

    async def stop(self) -> None:
        """Let the running turn end, and no other begin; if this is cancelled, so is the turn."""
        self.end()
        if self._task is not None:
            await self._task

    async def close(self) -> None:
        """Close the connection."""
        await self.link.close()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                if self._lost:
                    await self.link.execute(ping())
                pause = await self.run_once()
            except DatabaseAway as error:
                await wait(self._stopping, self._note_lost(error))
            except Exception as error:  # noqa: BLE001 - the border of a part: no bug in one ends the worker
                self.events.emit(PartFailed(self.name, trace_of(error)))
                await wait(self._stopping, self._backoff.next())
            else:
                self._note_back()
                if pause != 0:
                    await wait(self._wake, pause)

    def _note_lost(self, error: DatabaseAway) -> float:
        pause = self._backoff.next()
        if not self._lost:
            self.events.emit(database_lost(self.name, error, pause))
        self._lost = True
        return pause

    def _note_back(self) -> None:
        if self._lost:
            self.events.emit(DatabaseBack(self.name))
        self._lost = False
        self._backoff.reset()


def database_lost(part: str, error: Exception, pause: float) -> DatabaseLost:
    """Return what is told of a part that tries again in ``pause`` seconds."""
    connected = isinstance(error, StatementCut | StatementRefused)
    return DatabaseLost(part, str(error), pause, connected)


async def wait(event: asyncio.Event, seconds: float | None) -> None:
    """Wait until ``event`` is set, or ``seconds`` are over; None: as long as it takes."""
    if seconds is not None and seconds <= 0:
        await asyncio.sleep(0)
        return
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


async def limited(
    work: Coroutine[Any, Any, Any], seconds: float | None, hurrying: asyncio.Event, haste: float
) -> None:
    """Do ``work``; break it off after ``seconds``, if any, or ``haste`` seconds after ``hurrying`` is set."""
    task, hurry = asyncio.create_task(work), asyncio.create_task(hurrying.wait())
    try:
        await asyncio.wait({task, hurry}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if hurrying.is_set():
            await asyncio.wait({task}, timeout=haste)
    finally:
        hurry.cancel()
        task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()
