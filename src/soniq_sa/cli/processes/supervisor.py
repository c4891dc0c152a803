"""Keeps worker processes running; how stands in `soniq_sa.cli.processes`."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from contextlib import suppress

from soniq_sa.cli.exits import INTERRUPTED, SCHEMA, USAGE
from soniq_sa.cli.processes.child import Child
from soniq_sa.runtime.stops import SIGNALS

_log = logging.getLogger("soniq_sa")

_REFUSALS = (USAGE, SCHEMA)
"""Exit codes of a process that would not start the next time either."""
_STOPPED_EARLY = (128 + signal.SIGTERM, 128 + signal.SIGINT, INTERRUPTED)
"""Ends of a process that was told to stop before it listened to signals: it had no job yet."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
"""Seconds between the end of a process and the start of the next one."""
_LONG_LIFE = 10.0
"""Seconds after which the end of a process says nothing about the life of the next one."""


class Supervisor:
    """Runs one command in several processes, each of which stops at SIGTERM."""

    def __init__(self, command: Sequence[str], processes: int, *, run_once: bool) -> None:
        """Prepare; must be made in the loop.

        run_once: A process that ends with 0 has done its work, and is not started again.
        """
        self._command = command
        self._processes = processes
        self._run_once = run_once
        self._children: set[Child] = set()
        self._started = asyncio.Event()
        self._stopping = asyncio.Event()
        self._refusal = 0
        self._worst = 0

    async def run(self) -> int:
        """Run the processes to their end, and return the exit code.

        0 if all ended with 0; that of one that refused to start; else the highest of their last ones.
        """
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGCHLD, self._look)
        _log.info("starts %d worker processes", self._processes)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_one())
            await self._started.wait()
            for _ in range(self._processes - 1):
                group.create_task(self._keep_one())
        return self._refusal or self._worst

    def stop(self) -> None:
        """Have all processes drain and end; called again, have them end at once."""
        if self._stopping.is_set():
            for child in self._children:
                child.hurry()
            return
        _log.info(
            "stops %d worker processes; a second signal stops them at once", len(self._children)
        )
        self._drain()

    def _drain(self) -> None:
        self._stopping.set()
        self._started.set()
        for child in self._children:
            child.drain()

    def _look(self) -> None:
        for child in list(self._children):
            child.look()

    async def _keep_one(self) -> None:
        """Have one process run, and after it another, until that is over."""
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                child = Child(self._command, self._started.set)
            except OSError as error:
                _log.error("cannot start a worker process: %s; tries again in %g s", error, pause)
            else:
                await self._await_end(child)
                if self._is_last(child.status):
                    self._note_last(child.status)
                    return
                if child.age >= _LONG_LIFE:
                    pause = _FIRST_PAUSE
                _log.warning(
                    "worker process %d %s; another one takes its place in %g s",
                    *(child.pid, _told(child.status), pause),
                )
            await self._rest(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _await_end(self, child: Child) -> None:
        self._children.add(child)
        await child.end()
        self._children.discard(child)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _is_last(self, status: int) -> bool:
        over = self._stopping.is_set() or (self._run_once and status == 0)
        return over or status in _REFUSALS

    def _note_last(self, status: int) -> None:
        self._started.set()
        if self._stopping.is_set():
            self._worst = max(self._worst, 0 if status in _STOPPED_EARLY else status)
        elif status in _REFUSALS:
            self._refusal = status
            self._drain()


def _told(status: int) -> str:
    if status > 128 and (name := _signal_name(status - 128)):
        return f"was ended by {name}"
    return f"ended with exit code {status}"


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else ""
