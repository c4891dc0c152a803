"""The guard processes of workers, as a test sees them."""

from __future__ import annotations

import psutil

from tests.process.yard import until

MODULE = "soniq_sa.cli.guard"


def guards_of(pid: int) -> list[psutil.Process]:
    """Return the guards that a worker process has."""
    return [one for one in psutil.Process(pid).children() if _is_guard(one)]


def until_guarded(pid: int) -> psutil.Process:
    """Wait until a worker has a guard, and return it."""
    until(lambda: len(guards_of(pid)) == 1, "a guard")
    return guards_of(pid)[0]


def until_gone(guard: psutil.Process) -> None:
    """Wait until a guard has ended."""
    until(lambda: not _runs(guard), lambda: f"the end of {guard}")


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _is_guard(process: psutil.Process) -> bool:
    try:
        return MODULE in process.cmdline()
    except psutil.Error:
        return False
