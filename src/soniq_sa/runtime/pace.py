"""How fast the jobs of a worker are over."""

from __future__ import annotations

import math

_PAUSE = 1.0
"""Seconds without a job after which it is not known any more."""
_SHORTEST = 0.005
"""Seconds that are long enough to count in."""


class Pace:
    """How many jobs a second are over while there are some, smoothed."""

    def __init__(self) -> None:
        self.rate = 0.0
        self._count = 0
        self._since = 0.0
        self._over_at = -math.inf

    def begin(self, now: float) -> None:
        """Learn that work begins; the pause before it counts for nothing, unless it was long."""
        if now - self._over_at > _PAUSE:
            self.rate = 0.0
        self._count, self._since = 0, now

    def note(self, count: int, now: float) -> None:
        """Learn that ``count`` jobs are over."""
        self._count += count
        self._over_at = now
        elapsed = now - self._since
        if elapsed >= _SHORTEST:
            weight = min(1.0, elapsed / 0.1)
            self.rate += weight * (self._count / elapsed - self.rate)
            self._count, self._since = 0, now
