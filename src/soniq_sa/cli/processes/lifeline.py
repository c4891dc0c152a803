"""The worker's end of the lifeline; what it is for stands in `soniq_sa.cli.processes`."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from dataclasses import replace
from functools import partial

from soniq_sa.cli.processes.child import HURRY, READY
from soniq_sa.events import Event, WorkerStarted
from soniq_sa.runtime.signals import Signals
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
        self._loop = asyncio.get_running_loop()
        worker.soniq.events.subscribe(self._tell_ready)
        self._loop.add_reader(self._socket, self._read, worker)
        worker.host = replace(worker.host, may_exit=True, look=partial(self._read, worker))
        Signals(partial(self._drain, worker), worker.host.guard).catch()
        try:
            await worker.run()
        finally:
            worker.host.guard.ignore_signals()

    def _tell_ready(self, event: Event) -> None:
        if isinstance(event, WorkerStarted):
            with suppress(OSError):  # the supervisor is gone, which `_read` sees
                self._socket.send(READY)

    def _read(self, worker: Worker) -> None:
        """Obey what is said; called by the loop, or by the watch's thread if that is blocked."""
        try:
            said = self._socket.recv(64)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        self._drain(worker)
        if HURRY in said:
            worker.stop_threadsafe()
        if not said:
            self._loop.call_soon_threadsafe(self._loop.remove_reader, self._socket)

    def _drain(self, worker: Worker) -> None:
        """Have it stop, once: a second call would skip the waiting."""
        if not self._draining:
            self._draining = True
            worker.stop_threadsafe()
