"""Hold Ctrl-C back while something is half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ctrl_c_waits() -> Iterator[None]:
    """Let Ctrl-C wait until the body has ended; then it strikes as usual.

    For the moment between the start of a process, or the making of a folder, and the note that it
    has to be ended or removed. Not done with the signal mask, which a started process would inherit.
    Only the main thread is ever interrupted; elsewhere nothing has to be done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[object] = []
    before = signal.signal(signal.SIGINT, lambda *_: waiting.append(None))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if waiting:
            signal.raise_signal(signal.SIGINT)
