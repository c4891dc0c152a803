"""The worker's end of the lifeline; what it is for stands in `soniq_sa.cli.processes`."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress

from soniq_sa.cli.processes.child import HURRY, READY
from soniq_sa.events import Event, WorkerStarted
from soniq_sa.runtime.worker import Worker


class Lifeline:
    """Stops a worker when its supervisor says so, or is gone."""

    def __init__(self, descriptor: int) -> None:
        """Take over the file descriptor, which the supervisor has opened."""
        os.set_inheritable(descriptor, False)
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._draining = False

    async def run(self, worker: Worker) -> None:
        """Run ``worker`` until it ends, and have it stop in time."""
        loop = asyncio.get_running_loop()
        worker.soniq.events.subscribe(self._tell_ready)
        loop.add_reader(self._socket, self._read, worker)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._drain, worker)
        await worker.run()

    def _tell_ready(self, event: Event) -> None:
        if isinstance(event, WorkerStarted):
            with suppress(OSError):  # the supervisor is gone, which `_read` sees
                self._socket.send(READY)

    def _read(self, worker: Worker) -> None:
        try:
            said = self._socket.recv(64)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        self._drain(worker)
        if HURRY in said:
            worker.stop()
        if not said:
            asyncio.get_running_loop().remove_reader(self._socket)

    def _drain(self, worker: Worker) -> None:
        """Have it stop, once: a second call of `Worker.stop` would skip the waiting."""
        if not self._draining:
            self._draining = True
            worker.stop()
