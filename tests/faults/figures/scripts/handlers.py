"""The handlers of all systems: what a job does that meets a fault.

Every one takes the number of its job, and seconds. Only the standard library is imported.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time

from tests.faults.figures.diary import is_open, note, starts_so_far

HOSTILE = "a\0b"


async def nap(i: int, seconds: float) -> None:
    note("start", i)
    await asyncio.sleep(seconds)
    note("end", i)


async def hold(i: int, seconds: float) -> None:
    """Go on when the gate of the job is open."""
    del seconds
    note("start", i)
    while not is_open(i):  # noqa: ASYNC110 - opened by another process
        await asyncio.sleep(0.05)
    note("end", i)


async def turns(i: int, seconds: float) -> None:
    """Go on when the gate of this run is open: the first run succeeds, the second fails."""
    del seconds
    turn = starts_so_far(i)
    note("start", i)
    while not is_open(i, turn):  # noqa: ASYNC110 - opened by another process
        await asyncio.sleep(0.01)
    note("end", i)
    if turn == 1:
        raise ValueError("the second run fails")


async def hog(i: int, seconds: float) -> None:
    """Block the event loop."""
    note("start", i)
    time.sleep(seconds)  # noqa: ASYNC251 - what must not be done
    note("end", i)


async def gil_hog(i: int, seconds: float) -> None:
    """Block the event loop, and keep Python's lock."""
    note("start", i)
    ctypes.PyDLL(None).sleep(int(seconds))
    note("end", i)


def in_thread(i: int, seconds: float) -> None:
    note("start", i)
    time.sleep(seconds)
    note("end", i)


def busy(i: int, seconds: float) -> None:
    """Compute, in Python, in a thread."""
    note("start", i)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(1000))
    note("end", i)


async def poison(i: int, seconds: float) -> None:
    """Take the worker down."""
    del seconds
    note("start", i)
    sys.stderr.flush()
    os._exit(1)


async def bad_error(i: int, seconds: float) -> None:
    """Raise what PostgreSQL cannot store."""
    del seconds
    note("start", i)
    raise ValueError(HOSTILE)


async def bad_result(i: int, seconds: float) -> str:
    """Return what PostgreSQL cannot store."""
    del seconds
    note("start", i)
    return HOSTILE


HANDLERS = {
    one.__name__: one
    for one in (
        nap,
        hold,
        turns,
        hog,
        gil_hog,
        in_thread,
        busy,
        poison,
        bad_error,
        bad_result,
    )
}
