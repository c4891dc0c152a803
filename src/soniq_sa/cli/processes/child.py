"""The supervisor's view of one worker process."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress

LIFELINE = "--lifeline"
"""The option that takes the file descriptor of the lifeline."""
READY, HURRY = b"r", b"h"


class Child:
    """One worker process, from its start to its end."""

    def __init__(self, command: Sequence[str], on_ready: Callable[[], None]) -> None:
        """Start it; raise `OSError` if the system refuses. ``on_ready`` is called when it claims jobs.

        It has a session of its own: what a terminal sends to the processes in its foreground reaches
        the supervisor alone, and its SIGHUP kills no worker.
        """
        self._loop = asyncio.get_running_loop()
        self._on_ready = on_ready
        self._began = time.monotonic()
        self._ended = asyncio.Event()
        with ExitStack() as unless_started:
            self._socket, theirs = socket.socketpair()
            unless_started.enter_context(self._socket)
            with theirs:
                self._process = subprocess.Popen(
                    [*command, f"{LIFELINE}={theirs.fileno()}"],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            unless_started.pop_all()
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._read)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    @property
    def status(self) -> int:
        """Return the exit code as a shell shows it: 128 + n for a process killed by signal n."""
        code = self._process.returncode
        return code if code >= 0 else 128 - code

    @property
    def age(self) -> float:
        """Return the seconds since it was started."""
        return time.monotonic() - self._began

    async def end(self) -> None:
        """Wait until it has ended."""
        await self._ended.wait()

    def look(self) -> None:
        """Look whether it has ended; to be called after each SIGCHLD."""
        if self._process.poll() is not None and not self._ended.is_set():
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._ended.set()

    def drain(self) -> None:
        """Have it finish what runs and end."""
        self._process.send_signal(signal.SIGTERM)

    def hurry(self) -> None:
        """Have it give back what runs and end at once."""
        with suppress(OSError):  # it has ended in between
            self._socket.send(HURRY)

    def _read(self) -> None:
        try:
            said = self._socket.recv(64)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if READY in said:
            self._on_ready()
        if not said:
            self._loop.remove_reader(self._socket)
