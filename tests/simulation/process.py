"""A worker process of the simulation: the real worker, on a thread for its loop and one for its lease."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa import Worker
from soniq_sa.runtime.heart import Heart
from tests.simulation.driver import Connection, Network
from tests.simulation.loop import STRAND, Strand, VirtualLoop
from tests.simulation.shop import SHOP


class VirtualWorker(Worker):
    """The worker, with engines whose connections are virtual."""

    def _own_engine(self, url: str | None) -> AsyncEngine:  # noqa: ARG002 - there is one server
        return SHOP.work_engine


class Process:
    """A process that can be killed, stopped and continued, blocked, and cut off from the network."""

    def __init__(
        self, name: str, loop: VirtualLoop, network: Network, options: dict[str, Any], offset: float
    ) -> None:
        self.name = name
        self.connections: list[Connection] = []
        self.worker: Worker
        self._loop = loop
        self._network = network
        self._options = options
        self._offset = offset
        self._number = 0
        self._main: asyncio.Task[None] | None = None
        self.strands: list[Strand] = []
        self.all_strands: list[Strand] = []
        self.dead = True

    @property
    def exited(self) -> bool:
        """Tell whether the worker has ended, and the process with it; raise what it raised."""
        if self.dead or self._main is None or not self._main.done():
            return False
        self._main.result()
        return True

    def start(self, rate: float) -> None:
        """Begin a new process."""
        self._number += 1
        label = f"{self.name}.{self._number}"
        threads = [
            Strand(f"{label} {part}", self._offset, rate, process=self)
            for part in ("loop", "lease")
        ]
        threads[0].peer, threads[1].peer = threads[1], threads[0]
        self.strands, self.connections, self.dead = threads, [], False
        self.all_strands += threads
        self._main = self._loop.create_task(self._run(), context=threads[0].context())

    def kill(self, *, noticed: bool) -> None:
        """End at once; ``noticed`` if the kernel is left to close the connections."""
        self.dead = True
        for strand in self.strands:
            strand.halted = strand.dead = True
        for connection in self.connections:
            if connection.is_closed():
                continue
            connection.severed = connection.severed or not noticed
            connection.leave_server()

    def stop(self) -> None:
        """Stop every thread, as SIGSTOP does."""
        self._halt(*self.strands)

    def block(self) -> None:
        """Have a handler hold up the event loop, but not the thread of the lease."""
        self._halt(self.strands[0])

    def stall(self) -> None:
        """Hold up the thread of the lease, but not the event loop."""
        self._halt(self.strands[1])

    def go_on(self) -> None:
        """Let all threads go on."""
        if not self.dead:
            for strand in self.strands:
                self._loop.go_on(strand)

    def cut_off(self) -> None:
        """Leave all connections half-open."""
        for connection in self.connections:
            connection.severed = True

    async def connect(self) -> Connection:
        """Connect, from one of the threads."""
        connection = Connection(self._network, STRAND.get())
        self.connections = [one for one in self.connections if not one.is_closed()]
        self.connections.append(connection)
        return await connection.connect()

    def drain(self) -> None:
        """Ask the worker to end, as SIGTERM does."""
        if not self.dead:
            _ = self._loop.call_soon(self._stop_worker, context=self.strands[0].context())

    def _stop_worker(self) -> None:
        self.worker.stop()

    async def _run(self) -> None:
        self.worker = VirtualWorker(SHOP.soniq, **self._options)
        await self.worker.run()

    @staticmethod
    def _halt(*strands: Strand) -> None:
        for strand in strands:
            strand.halted = True


def start_heart(heart: Heart) -> None:
    """Start the lease's thread as a task on the other strand of its process."""
    strand = STRAND.get().peer
    assert strand is not None
    loop = asyncio.get_running_loop()
    strand.task = loop.create_task(_beat(heart), context=strand.context())


async def _beat(heart: Any) -> None:
    await heart._live()  # noqa: SLF001 - what its thread runs
    heart._tell(heart._lease.note_end)  # noqa: SLF001 - and says at its end
