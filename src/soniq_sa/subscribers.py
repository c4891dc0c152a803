"""Who is told of the events of an application."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

from soniq_sa.events import Event
from soniq_sa.lines import record
from soniq_sa.redaction import DEFAULT_REDACTION

_log = logging.getLogger(__name__)

Subscriber = Callable[[Event], None]


class Events:
    """The subscribers of one application: ``soniq.events``."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> Subscriber:
        """Have ``subscriber`` called with every event, in the worker's event loop.

        `LoopBlocked` and `LoopFreed` come from a thread, and so does what is told while the loop is
        blocked: that the worker stops. It must not block. If it raises, that is logged, and the worker goes on. One that is
        subscribed already is not called twice.
        """
        if subscriber not in self._subscribers:
            self._subscribers.append(subscriber)
        return subscriber

    def emit(self, event: Event) -> None:
        """Hand ``event`` to every subscriber."""
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception:  # noqa: BLE001 - a subscriber must not stop the worker
                trace = DEFAULT_REDACTION.scrub(traceback.format_exc())
                message = f"The subscriber {subscriber!r} failed on {event!r}."
                _log.error("%s", record(message, trace))

    def __bool__(self) -> bool:
        """Tell whether anybody listens."""
        return bool(self._subscribers)
