"""SIGTERM and SIGINT, also while a handler blocks the event loop.

The loop's own handlers run when the loop does. Python's run in the main thread between two instructions,
whatever that thread is doing, and so note the signal while the loop is blocked. Both are set: the loop's
for its wake-up, which works in whatever thread the signal arrives, Python's for the note.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from soniq_sa.runtime.host import Guard

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Calls a function at each signal that asks to stop."""

    def __init__(self, on_signal: Callable[[], None], guard: Guard) -> None:
        """Prepare; on_signal: Called in the main thread, in the middle of whatever runs there."""
        self._on_signal = on_signal
        self._guard = guard
        self._loop = asyncio.get_running_loop()

    def catch(self) -> None:
        """Begin to; must be called in the main thread, where the loop runs."""
        for number in _SIGNALS:
            self._loop.add_signal_handler(number, _nothing)
            signal.signal(number, lambda _number, _frame: self._on_signal())
        self._guard.hear_signals()

    def release(self) -> None:
        """Have the signals do what they do by themselves."""
        self._guard.ignore_signals()
        for number in _SIGNALS:
            self._loop.remove_signal_handler(number)


def _nothing() -> None:
    """Do nothing: the loop has been woken, and that is enough."""
