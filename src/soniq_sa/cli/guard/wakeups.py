"""The signals that a worker has not taken yet, where its guard sees them.

The C handler of Python writes the number of each signal into a socket, in whatever thread it arrives, and
needs no lock for it (``signal.set_wakeup_fd``). Event loops have such a socket to wake up by. This one comes
before it: the worker passes on to the loop what it takes out, and what it has not taken out the guard reads
and leaves there (``MSG_PEEK``).
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress

from soniq_sa.runtime.stops import SIGNALS

_CHUNK = 4096


class Wakeups:
    """The worker's end; all but `theirs` and `close` are for the main thread."""

    def __init__(self) -> None:
        """Open the socket."""
        self._ours, self._written = socket.socketpair()
        self._ours.setblocking(False)
        self._written.setblocking(False)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._passed_on_to = -1

    @property
    def theirs(self) -> int:
        """Return the descriptor that the guard reads, by `unread`."""
        return self._ours.fileno()

    def hear(self) -> None:
        """Have the signals come here; must be called in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._ours, self.take)
        self.come_first()

    def come_first(self) -> None:
        """Take the first place again, if the loop has: a program that asks asyncio for a signal does that."""
        if self._loop is not None:
            before = signal.set_wakeup_fd(self._written.fileno(), warn_on_full_buffer=False)
            if before != self._written.fileno():
                self._passed_on_to = before

    def take(self) -> None:
        """Take all signals out, and pass them on to the loop, which may wait for others of them."""
        with suppress(BlockingIOError):
            while numbers := self._ours.recv(_CHUNK):
                if self._passed_on_to != -1:
                    os.write(self._passed_on_to, numbers)

    def ignore(self) -> None:
        """Undo `hear`."""
        if self._loop is not None:
            self._loop.remove_reader(self._ours)
            self._loop = None
            signal.set_wakeup_fd(self._passed_on_to, warn_on_full_buffer=False)
            self.take()
            self._passed_on_to = -1

    def close(self) -> None:
        """Close the socket, also in a process that was forked."""
        self._ours.close()
        self._written.close()


def unread(theirs: socket.socket) -> int:
    """Return how many signals that ask to stop the worker has not taken; the guard's end."""
    try:
        return sum(
            theirs.recv(_CHUNK, socket.MSG_PEEK | socket.MSG_DONTWAIT).count(one) for one in SIGNALS
        )
    except BlockingIOError:
        return 0
