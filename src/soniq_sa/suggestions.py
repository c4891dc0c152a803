"""What somebody may have meant who wrote a name that nothing here has."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known name, else an empty string."""
    names = list(known)
    same = [other for other in _SAME_THING.get(name, ()) if other in names]
    close = same or get_close_matches(name, names, n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""


_SAME_THING = {
    "countdown": ["delay"],
    "eta": ["run_at"],
    "execute_after": ["delay"],
    "execute_at": ["run_at"],
    "max_attempts": ["retries"],
    "max_retries": ["retries"],
    "max_runtime_seconds": ["timeout"],
    "schedule_at": ["run_at"],
    "scheduled_at": ["run_at"],
    "time_limit": ["timeout"],
    "ttl": ["expires_in"],
    "validate": ["args_model"],
}
"""What other job queues call an option, and its name here."""
