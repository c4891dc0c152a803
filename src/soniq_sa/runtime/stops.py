"""How often a worker was asked to stop, and since when.

Asked from its loop, from another thread, or from a signal handler, which runs between any two
instructions of the main thread: so there is no lock here, only a list that grows.
"""

from __future__ import annotations

import math
import signal
import time

SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""Those that ask a program to stop."""


class StopRequests:
    """The requests to stop one worker."""

    def __init__(self, drain_timeout: float) -> None:
        """Prepare; drain_timeout: Seconds for which handlers may go on after the first request."""
        self._drain_timeout = drain_timeout
        self._asked: list[float] = []

    def note(self) -> None:
        """Note one more."""
        self._asked.append(time.monotonic())

    @property
    def asked(self) -> bool:
        """Tell whether the worker is to stop."""
        return bool(self._asked)

    @property
    def hurried(self) -> bool:
        """Tell whether it is to stop without waiting."""
        return len(self._asked) > 1

    @property
    def left(self) -> float:
        """Return for how many seconds handlers may still go on; infinite if nobody has asked."""
        if not self._asked:
            return math.inf
        if self.hurried:
            return 0.0
        return max(0.0, self._asked[0] + self._drain_timeout - time.monotonic())
