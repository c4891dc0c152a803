"""Who is told of the events of an application."""

from __future__ import annotations

import logging
from collections.abc import Callable

from soniq_sa.events import Event

_log = logging.getLogger(__name__)

Subscriber = Callable[[Event], None]


class Events:
    """The subscribers of one application: ``soniq.events``."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> Subscriber:
        """Have ``subscriber`` called with every event, in the worker's event loop.

        It must not block. If it raises, that is logged, and the worker goes on. One that is
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
                _log.exception("The subscriber %r failed on %r.", subscriber, event)

    def __bool__(self) -> bool:
        """Tell whether anybody listens."""
        return bool(self._subscribers)
