"""Asks the threads of a worker where they are, in a way that needs no Python there.

`faulthandler` has put a handler in C on the signal: whichever thread gets it writes its own stack, and goes
on. One thread that wrote the stacks of all would read frames that change while it reads them, and take the
process down. SIGURG is asked for by hardly anybody, and ignored where nobody has.
"""

from __future__ import annotations

import ctypes
import signal
import time
from contextlib import suppress
from pathlib import Path

STACK_SIGNAL = signal.SIGURG

_APART = 0.003
"""Seconds between two threads, so that they do not write into each other's lines."""


def is_stopped(worker: int) -> bool:
    """Tell whether a process was stopped by a signal, or is gone."""
    try:
        state = (
            Path(f"/proc/{worker}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
        )
    except OSError:
        return True
    return state in {"T", "t", "Z", "X"}


def ask_where(worker: int) -> None:
    """Have each thread of a process write its stack, the main one last."""
    with suppress(OSError):
        threads = [int(one.name) for one in Path(f"/proc/{worker}/task").iterdir()]
        for thread in sorted(threads, reverse=True):
            ctypes.CDLL(None).tgkill(
                worker, thread, STACK_SIGNAL
            )  # one that has ended is passed over
            time.sleep(_APART)


def can_ask() -> bool:
    """Tell whether this system has what it takes: Linux, with a C library that can signal a thread."""
    return Path("/proc/self/task").exists() and hasattr(ctypes.CDLL(None), "tgkill")
