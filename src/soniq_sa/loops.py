"""Event loops: whether one runs here, and work for which there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from soniq_sa.errors import ConfigurationError

T = TypeVar("T")


def loop_runs_here() -> bool:
    """Tell whether an event loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def loop_name() -> str:
    """Return the package of the event loop that runs here: ``asyncio``, ``uvloop``."""
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


def run_without_loop(name: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Return what ``work`` returns, run in a loop of its own.

    Raises `ConfigurationError` where a loop runs already, naming the call with which to replace
    ``name``: the one without ``_sync``.
    """
    if loop_runs_here():
        raise ConfigurationError(
            f"{name}() was called inside a running event loop. "
            f"Write: await {name.removesuffix('_sync')}(...)."
        )
    return asyncio.run(work())
