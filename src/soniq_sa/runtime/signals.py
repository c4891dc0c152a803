"""SIGTERM and SIGINT, also while a handler blocks the event loop.

The loop's own handlers run when the loop does. Python's run in the main thread between two instructions,
whatever that thread is doing, and so note the signal while the loop is blocked. Both are set: the loop's
for its wake-up, which works in whatever thread the signal arrives, Python's for the note.

A process that a handler forks is no worker: there the signals do what they do in any program. They are
held back while it is forked, so that in no moment of its life one counts as sent to the worker.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import FrameType

from soniq_sa.runtime.host import Guard
from soniq_sa.runtime.stops import SIGNALS


class Signals:
    """Calls a function at each signal that asks to stop."""

    def __init__(self, on_signal: Callable[[], None], guard: Guard) -> None:
        """Prepare; on_signal: Called in the main thread, in the middle of whatever runs there."""
        self._on_signal = on_signal
        self._guard = guard
        self._loop = asyncio.get_running_loop()

    def catch(self) -> None:
        """Begin to; must be called in the main thread, where the loop runs."""
        for number in SIGNALS:
            self._loop.add_signal_handler(number, _nothing)
            signal.signal(number, self._take)
        self._guard.hear_signals()
        _forks.caught.append(self)

    def release(self) -> None:
        """Have the signals do what they do by themselves."""
        with suppress(ValueError):  # they could not be caught
            _forks.caught.remove(self)
        self._guard.ignore_signals()
        for number in SIGNALS:
            self._loop.remove_signal_handler(number)

    def leave_to_child(self) -> None:
        """Have the signals do the same in a process that was forked from this one, and not wake the loop."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self._on_signal()
        self._guard.note_signal()


class _Forks(threading.local):
    """What is done around each fork of this process; the mask of signals is that of a thread."""

    caught: list[Signals] = []  # noqa: RUF012 - of all threads
    mask: Iterable[int] | None = None

    def begin(self) -> None:
        """Hold the signals back."""
        if self.caught:
            self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def end(self) -> None:
        """Let them through again."""
        if self.mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)
            self.mask = None

    def end_in_child(self) -> None:
        """Let them through to a process that is no worker."""
        for one in self.caught:
            one.leave_to_child()
        self.caught.clear()
        self.end()


def _nothing() -> None:
    """Do nothing: the loop has been woken, and that is enough."""


_forks = _Forks()
os.register_at_fork(
    before=_forks.begin, after_in_parent=_forks.end, after_in_child=_forks.end_in_child
)
