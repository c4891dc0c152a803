"""How fast the jobs of a worker are over.

Slow jobs that have begun together are over together: in that moment they look like quick ones. So it is the
pace of the moment, and never more than that of a longer time.
"""

from __future__ import annotations

import math

_PAUSE = 1.0
"""Seconds without a job after which it is not known any more."""
_SHORTEST = 0.005
"""Seconds that are long enough to count in."""
_SMOOTHED_OVER = 0.1
"""Seconds over which the pace of the moment is smoothed."""
_LONGER = 0.5
"""Seconds of the longer time at least, and twice as many at most, unless work began later."""


class Pace:
    """How many jobs a second are over while there are some, smoothed."""

    def __init__(self) -> None:
        self.rate = 0.0
        self._of_moment = 0.0
        self._count = 0
        self._since = 0.0
        self._counted = self._counted_before = 0
        self._counted_since = self._counted_before_since = 0.0
        self._over_at = -math.inf

    def begin(self, now: float) -> None:
        """Learn that work begins; the pause before it counts for nothing, unless it was long."""
        if now - self._over_at > _PAUSE:
            self.rate = self._of_moment = 0.0
        self._count, self._since = 0, now
        self._counted = self._counted_before = 0
        self._counted_since = self._counted_before_since = now

    def note(self, count: int, now: float) -> None:
        """Learn that ``count`` jobs are over."""
        self._count += count
        self._counted += count
        self._over_at = now
        elapsed = now - self._since
        if elapsed >= _SHORTEST:
            weight = min(1.0, elapsed / _SMOOTHED_OVER)
            self._of_moment += weight * (self._count / elapsed - self._of_moment)
            self._count, self._since = 0, now
            self.rate = min(self._of_moment, self._of_longer(now))

    def _of_longer(self, now: float) -> float:
        rate = (self._counted_before + self._counted) / (now - self._counted_before_since)
        if now - self._counted_since >= _LONGER:
            self._counted_before, self._counted_before_since = self._counted, self._counted_since
            self._counted, self._counted_since = 0, now
        return rate
