"""What can be said of the fresh job that a replay makes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from soniq_sa.errors import UnknownOptionError
from soniq_sa.options import Seconds, check_mapping, check_options
from soniq_sa.suggestions import did_you_mean
from soniq_sa.task import Tasks


class ReplayOptions(TypedDict, total=False):
    """In what the fresh job of a replay differs from the dead one; bounds are those of `JobOptions`.

    queue: The queue to put it into. Default: the dead job's.
    priority: 1 to 1000, lower runs first. Default: the dead job's.
    retries: How often a failed attempt is repeated. Default: as often as the dead job's.
    delay: Seconds (or a timedelta) to wait, counted by the database's clock from the transaction's
        start. Default 0.
    run_at: The earliest time to run: an aware datetime, or a number of seconds or a timedelta from
        now. Not together with ``delay``. Default: now.
    """

    queue: str
    priority: int
    retries: int
    delay: Seconds
    run_at: datetime | Seconds


KNOWN_OPTIONS = tuple(ReplayOptions.__annotations__)


def replay_parameters(given: ReplayOptions | None, tasks: Tasks) -> dict[str, Any]:
    """Return what the statements of a replay take; refuse what enqueueing would refuse."""
    options = {} if given is None else check_mapping("options", given)
    for name in options:
        if name not in KNOWN_OPTIONS:
            raise UnknownOptionError(
                f"A replay has no option {name!r}.{did_you_mean(name, KNOWN_OPTIONS)} It takes: "
                f"{', '.join(KNOWN_OPTIONS)}. All else is as in the dead job."
            )
    checked = check_options(options)
    if "queue" in checked:
        tasks.check_queue(checked["queue"])
    return {
        "new_queue": checked.get("queue"),
        "new_priority": checked.get("priority"),
        "attempt_limit": checked.get("max_attempts"),
        "due_at": checked.get("run_at"),
        "delay": checked.get("delay") or 0.0,
    }
