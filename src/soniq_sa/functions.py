"""What a function says of itself: its name, its place, and the names around it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def default_name(handler: Callable[..., Any]) -> str:
    """Return ``module.qualname``; for a program, the name under which a worker would import it."""
    module = handler.__module__
    if module == "__main__":
        main = sys.modules["__main__"]
        spec = getattr(main, "__spec__", None)
        module = spec.name if spec else Path(getattr(main, "__file__", None) or "__main__").stem
    return _plain(f"{module}.{handler.__qualname__}")


def full_name(function: Callable[..., Any]) -> str:
    """Return the module and the qualified name of a function or class, for people."""
    return _plain(f"{function.__module__}.{function.__qualname__}")


def _plain(name: str) -> str:
    return name.replace(".<locals>", "")


def place(function: Callable[..., Any]) -> str:
    """Return the file and the line of a function, for people."""
    code = function.__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def local_scope(handler: Callable[..., Any]) -> dict[str, Any]:
    """Return the names around a handler that was defined inside a function.

    Its annotations may name classes that only that function, or one around it, knows.
    """
    if "<locals>" not in handler.__qualname__:
        return {}
    scope: dict[str, Any] = {}
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_filename == handler.__code__.co_filename:
            scope = {**frame.f_locals, **scope}
        frame = frame.f_back
    return scope


def outer_frames() -> int:
    """Return how far up the code stands that called this package, for a warning."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_INNER):
        frame, level = frame.f_back, level + 1
    return level


_INNER = ("asyncio.", "soniq_sa.")
"""Modules that stand between: the sync calls of this package run a loop."""
