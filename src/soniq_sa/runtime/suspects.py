"""When a worker claims a job that may take it down."""

from __future__ import annotations

from soniq_sa.runtime.jobs import HeldJob, HeldJobs


class Suspects:
    """Have such jobs run one at a time, when one is expected.

    Nobody waits for such jobs, so besides hints from a rescue there is a look every 15 seconds.
    """

    _EVERY = 15.0

    def __init__(self) -> None:
        self.expected = True
        self.running: list[HeldJob] = []
        self._looked_at = 0.0

    def note_look(self, now: float, *, found: bool) -> None:
        """Learn whether there is one."""
        self._looked_at = now
        self.expected = self.expected or found

    def wanted(self, held: HeldJobs, now: float) -> bool:
        """Tell whether to claim one now."""
        if self.running:
            if (self.running[0].id, self.running[0].claims) in held:
                return False
            self.expected = True
        if not self.expected and now - self._looked_at < self._EVERY:
            return False
        self.expected, self._looked_at = False, now
        return True
