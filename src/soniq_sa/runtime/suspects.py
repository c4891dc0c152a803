"""When a worker claims a job that may take it down.

A job that took part in a crash may be its cause, as may every other job that took part in it. They begin
one after the other: one that ends its process at once takes none of the others along. The next one begins
when all that run have run for a moment. A job that took part in two crashes begins when no other suspect
runs, and keeps the next one waiting for longer.

A rescue tells of them. Of one that is released, or that is due again, an ordinary wake-up tells, which
says nothing of crashes: so after wake-ups there is a look, now and then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from soniq_sa.runtime.jobs import HeldJob, HeldJobs

_SETTLING, _LONG_SETTLING = 0.05, 5.0
"""Seconds that a suspect has run for before the next one begins: after one crash, and after more."""
_APART = 0.5
"""Seconds between two looks that follow ordinary wake-ups."""
_EVERY = 15.0
"""Seconds between two looks without any news."""
_ANY = 2**31 - 1


class Suspects:
    """Which suspects run here, and when to claim the next one."""

    def __init__(self) -> None:
        self._running: list[HeldJob] = []
        self._due_at = -math.inf
        self._looked_at = -math.inf

    def expect(self) -> None:
        """Learn that there is one."""
        self._due_at = -math.inf

    def note_news(self) -> None:
        """Learn that there may be one."""
        self._due_at = min(self._due_at, self._looked_at + _APART)

    def note_look(self, now: float, *, found: bool) -> None:
        """Learn whether there is one."""
        self._looked_at = now
        if found:
            self.expect()

    def note_claimed(self, jobs: Sequence[HeldJob], now: float) -> None:
        """Learn what a claim of suspects found: where there was one, there may be another."""
        self._running += jobs
        self._looked_at = now
        self._due_at = -math.inf if jobs else math.inf

    def most_crashes(self, held: HeldJobs) -> int:
        """Return in how many crashes the next one may have taken part."""
        return 1 if self._still(held) else _ANY

    def due_at(self, held: HeldJobs, now: float) -> float:
        """Return when to claim the next one."""
        running = self._still(held)
        due = min(self._due_at, self._looked_at + _EVERY)
        return max([due, *(_settles_at(job, now) for job in running)])

    def _still(self, held: HeldJobs) -> Sequence[HeldJob]:
        """Return those that run; when the last one is over, another may have waited for that."""
        still = [job for job in self._running if (job.id, job.claims) in held]
        if self._running and not still:
            self.expect()
        self._running = still
        return still


def _settles_at(job: HeldJob, now: float) -> float:
    """Return when a job has run for long enough; the time counts from its claim, if it has begun."""
    seconds = _SETTLING if job.crashes < 2 else _LONG_SETTLING
    return (now if job.running is None else job.asked_at) + seconds
