"""The event loop of ``soniq-sa worker``; a worker inside another program runs on that one's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from soniq_sa.errors import ConfigurationError
from soniq_sa.settings import Loop

MakeLoop = Callable[[], asyncio.AbstractEventLoop]


def loop_factory(loop: Loop) -> MakeLoop | None:
    """Return what makes the loop that is asked for; None: whatever asyncio makes by itself.

    Raises `ConfigurationError` if that is uvloop, and uvloop cannot be imported.
    """
    if loop == "asyncio":
        return asyncio.SelectorEventLoop
    try:
        import uvloop
    except ImportError as error:
        if loop == "auto":
            return None
        raise ConfigurationError(
            f"--loop uvloop (or SONIQ_SA_LOOP): uvloop cannot be imported ({error}). Install it: "
            "pip install 'soniq-sa[uvloop]'. Or leave the option out: then a worker takes uvloop where "
            "it is installed."
        ) from error
    return uvloop.new_event_loop
