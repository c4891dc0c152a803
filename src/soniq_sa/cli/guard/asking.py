"""Asks the threads of a worker where they are, in a way that needs no Python there.

`faulthandler` has put a handler in C on the signal: whichever thread gets it writes its own stack, and goes
on. One thread that wrote the stacks of all would read frames that change while it reads them, and take the
process down. SIGURG is asked for by hardly anybody, and ignored where nobody has.
"""

from __future__ import annotations

import ctypes
import platform
import signal
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

STACK_SIGNAL = signal.SIGURG

_TGKILL = {"x86_64": 234, "aarch64": 131, "riscv64": 131, "ppc64le": 250, "s390x": 241}
"""The number of the system call, for C libraries that have no function for it: musl, and old ones."""
_SAMPLES, _SAMPLE_APART = 3, 0.005
"""How often it is looked whether a thread runs, and the seconds between: one that waits for Python's lock
wakes up now and then."""


def is_stopped(worker: int) -> bool:
    """Tell whether a process was stopped by a signal, or is gone."""
    return _state(Path(f"/proc/{worker}/stat")) in {"T", "t", "Z", "X", ""}


def threads_of(worker: int) -> list[int]:
    """Return the threads of a process, the main one last; none if it is gone."""
    try:
        return sorted(
            (int(one.name) for one in Path(f"/proc/{worker}/task").iterdir()), reverse=True
        )
    except OSError:
        return []


def busy_among(worker: int, threads: Iterable[int]) -> set[int]:
    """Return those threads that have the processor, or wait for it; must be asked before a signal wakes them."""
    found = Counter[int]()
    places = {thread: Path(f"/proc/{worker}/task/{thread}/stat") for thread in threads}
    for _ in range(_SAMPLES):
        found.update(thread for thread, place in places.items() if _state(place) == "R")
        time.sleep(_SAMPLE_APART)
    return {thread for thread, times in found.items() if times > _SAMPLES // 2}


def ask_where(worker: int, thread: int) -> None:
    """Have a thread of a process write its stack; one that has ended is passed over."""
    signal_thread(worker, thread, STACK_SIGNAL)


def signal_thread(process: int, thread: int, number: int) -> None:
    """Send a signal to a thread of a process, if there is one."""
    library = ctypes.CDLL(None)
    if hasattr(library, "tgkill"):
        library.tgkill(process, thread, number)
    else:
        call = _TGKILL[platform.machine()]
        library.syscall(*map(ctypes.c_long, (call, process, thread, number)))


def can_ask() -> bool:
    """Tell whether this system has what it takes: Linux, where a thread of another process can be signalled."""
    known = hasattr(ctypes.CDLL(None), "tgkill") or platform.machine() in _TGKILL
    return Path("/proc/self/task").exists() and known


def _state(place: Path) -> str:
    """Return the letter that stands for what a process or thread does; "" if it is gone."""
    try:
        return place.read_text("ascii", "replace").rpartition(")")[2].split()[0]
    except OSError:
        return ""
