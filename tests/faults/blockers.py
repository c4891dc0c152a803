"""The application of the tests of what blocks a worker: ``--app tests.faults.blockers:soniq``.

It has the tables of `tests.process.shop`, and handlers that let nothing else run.
"""

import asyncio
import ctypes
import multiprocessing
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

from soniq_sa import JobContext, Soniq, Task, inject
from soniq_sa.cli.guard.asking import threads_of
from tests.process.shop import Base, note

soniq = Soniq(Base.metadata)

Blocker = Task[Any, Any]
_KEPT = ctypes.create_string_buffer(64)
"""A mutex that nobody unlocks."""


@soniq.job(name="asleep")
async def asleep(seconds: float, ctx: JobContext = inject()) -> None:
    """Block the event loop without work."""
    note("start", ctx)
    time.sleep(seconds)  # noqa: ASYNC251 - what must not be done
    note("end", ctx)


@soniq.job(name="busy")
async def busy(seconds: float, ctx: JobContext = inject()) -> None:
    """Block the event loop with work."""
    note("start", ctx)
    calculate(seconds)
    note("end", ctx)


@soniq.job(name="asleep_until")
async def asleep_until(gate: str, ctx: JobContext = inject()) -> None:
    """Block the event loop without work, until a gate is open."""
    note("start", ctx)
    while not Path(gate).exists():  # noqa: ASYNC240 - what must not be done
        time.sleep(0.05)  # noqa: ASYNC251
    note("end", ctx)


@soniq.job(name="busy_until")
async def busy_until(gate: str, ctx: JobContext = inject()) -> None:
    """Block the event loop with work, until a gate is open."""
    note("start", ctx)
    while not Path(gate).exists():  # noqa: ASYNC240 - what must not be done
        calculate(0.05)
    note("end", ctx)


@soniq.job(name="busy_sync")
def busy_sync(seconds: float, ctx: JobContext = inject()) -> None:
    """Keep a thread busy."""
    note("start", ctx)
    calculate(seconds)
    note("end", ctx)


@soniq.job(name="attentive")
async def attentive(seconds: float, ctx: JobContext = inject()) -> None:
    """Block nothing."""
    note("start", ctx)
    await asyncio.sleep(seconds)


@soniq.job(name="patient")
def patient(gate: str, ctx: JobContext = inject()) -> None:
    """Wait in a thread until a gate is open, and keep nothing."""
    note("start", ctx)
    while not Path(gate).exists():
        time.sleep(0.05)
    note("end", ctx)


@soniq.job(name="matching_sync")
def matching_sync(letters: int, ctx: JobContext = inject()) -> None:
    """Match an expression that tries everything, in a thread."""
    note("start", ctx)
    re.match(r"(a|a)*b", "a" * letters)
    note("end", ctx)


@soniq.job(name="deaf")
async def deaf(seconds: float, ctx: JobContext = inject()) -> None:
    """Keep Python's lock for some seconds, on the event loop."""
    note("start", ctx)
    sleep_with_the_lock(seconds)
    note("end", ctx)


@soniq.job(name="deaf_sync")
def deaf_sync(seconds: float, ctx: JobContext = inject()) -> None:
    """Keep Python's lock for some seconds, in a thread."""
    note("start", ctx)
    sleep_with_the_lock(seconds)
    note("end", ctx)


@soniq.job(name="matching")
async def matching(letters: int, ctx: JobContext = inject()) -> None:
    """Match an expression that tries everything."""
    note("start", ctx)
    re.match(r"(a|a)*b", "a" * letters)
    note("end", ctx)


@soniq.job(name="deaf_in_time", timeout=3)
async def deaf_in_time(seconds: float, ctx: JobContext = inject()) -> None:
    """Keep Python's lock, for longer than the task's time limit perhaps."""
    note("start", ctx)
    sleep_with_the_lock(seconds)
    note("end", ctx)


@soniq.job(name="fork")
async def fork(seconds: float, ctx: JobContext = inject()) -> None:
    """Leave a process behind that has all that this one had open."""
    note("start", ctx)
    if os.fork() == 0:
        time.sleep(seconds)  # noqa: ASYNC251 - in a process of its own
        os._exit(0)


@soniq.job(name="terminate")
def terminate(ctx: JobContext = inject()) -> None:
    """Fork a process as `multiprocessing` does, and end it as that does."""
    forked = multiprocessing.get_context("fork").Process(target=time.sleep, args=(90,))
    forked.start()
    forked.terminate()
    forked.join()
    note(f"ended by {-(forked.exitcode or 0)}", ctx)


@soniq.job(name="hold_and_fork")
def hold_and_fork(seconds: float, ctx: JobContext = inject()) -> None:
    """Keep Python's lock for some seconds, while a process that was forked sleeps."""
    forked = multiprocessing.get_context("fork").Process(target=time.sleep, args=(90,))
    forked.start()
    note("start", ctx)
    sleep_with_the_lock(seconds)
    note("end", ctx)
    forked.kill()


@soniq.job(name="deaf_beside_a_thread")
async def deaf_beside_a_thread(seconds: float, ctx: JobContext = inject()) -> None:
    """Keep Python's lock for some seconds, beside a thread that Python does not know."""
    before = threads_of(os.getpid())
    start_thread_without_python()
    (thread,) = set(threads_of(os.getpid())).difference(before)
    note("start", ctx)
    note(str(thread), ctx)
    sleep_with_the_lock(seconds)


@soniq.job(name="deaf_after_signal")
async def deaf_after_signal(seconds: float, ctx: JobContext = inject()) -> None:
    """Have the event loop wait for a signal, and when it has come keep Python's lock for some seconds."""
    came = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, came.set)
    await asyncio.sleep(1)  # the loop has been looked after meanwhile
    note("start", ctx)
    await came.wait()
    sleep_with_the_lock(seconds)


def calculate(seconds: float) -> None:
    """Be busy, in Python."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        sum(range(1000))


def start_thread_without_python() -> None:
    """Start a thread that waits in the C library for ever, whatever signals it gets, and has never run Python."""
    library = ctypes.CDLL(None)
    library.pthread_mutex_lock(_KEPT)
    wait = ctypes.cast(library.pthread_mutex_lock, ctypes.c_void_p)
    library.pthread_create(ctypes.byref(ctypes.c_ulong()), None, wait, _KEPT)


def sleep_with_the_lock(seconds: float) -> None:
    """Wait in compiled code that lets no other thread run, and that no signal ends: for one's own mutex."""
    library = ctypes.PyDLL(None)
    mutex = ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    ends = time.time() + seconds
    moment = (ctypes.c_long * 2)(int(ends), int(ends % 1 * 1e9))
    library.pthread_mutex_timedlock(mutex, moment)
