"""What can be said of a task at registration and of a job at enqueue, checked at once."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import TypedDict

from soniq_sa.errors import OptionError, UnknownOptionError, UnknownQueueError, did_you_mean

DEFAULT_QUEUE = "default"
DEFAULT_PRIORITY = 100
DEFAULT_RETRIES = 3
DEFAULT_RETRY_DELAY = 5.0
MAX_SECONDS = timedelta(days=3650).total_seconds()

_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_DIGITS = re.compile(r"\d+")

Seconds = float | timedelta


class JobOptions(TypedDict, total=False):
    """Options of one job, given to ``task.options(...)`` and read at enqueue.

    queue: The queue to put the job into. Default: the task's.
    priority: 1 to 1000, lower runs first. Default: the task's (100).
    delay: Seconds (or a timedelta) to wait, counted by the database's clock from the transaction's
        start. Default 0.
    run_at: The earliest time to run: an aware datetime, or a number of seconds or a timedelta from
        now. Not together with ``delay``.
    """

    queue: str
    priority: int
    delay: Seconds
    run_at: datetime | Seconds


@dataclass(frozen=True, slots=True)
class EnqueueOptions:
    """The options of one job, checked: what the statements need to know."""

    queue: str
    priority: int
    max_attempts: int
    delay: float | None = None
    run_at: datetime | None = None

    @property
    def deferred(self) -> bool:
        """Tell whether the job has a time of its own."""
        return self.delay is not None or self.run_at is not None


_KNOWN = tuple(JobOptions.__annotations__)


def merge_options(task: EnqueueOptions, given: Mapping[str, object]) -> EnqueueOptions:
    """Return the options of ``task`` with ``given`` in their place; refuse what is unknown."""
    for name in given:
        if name not in _KNOWN:
            raise UnknownOptionError(
                f"There is no job option {name!r}.{did_you_mean(name, _KNOWN)} "
                f"Known options: {', '.join(_KNOWN)}."
            )
    delay, run_at = _when(given)
    return EnqueueOptions(
        queue=check_queue(given.get("queue", task.queue)),
        priority=check_priority(given.get("priority", task.priority)),
        max_attempts=task.max_attempts,
        delay=task.delay if not {"delay", "run_at"} & given.keys() else delay,
        run_at=task.run_at if not {"delay", "run_at"} & given.keys() else run_at,
    )


def _when(given: Mapping[str, object]) -> tuple[float | None, datetime | None]:
    if "delay" in given and "run_at" in given:
        raise OptionError("The options 'delay' and 'run_at' exclude each other. Give one of them.")
    run_at = given.get("run_at")
    if isinstance(run_at, datetime):
        if run_at.utcoffset() is None:
            raise OptionError(
                f"The option 'run_at' is the naive datetime {run_at!r}. Give it a time zone, "
                "for example datetime.now(UTC)."
            )
        return None, run_at
    for name in ("delay", "run_at"):
        if given.get(name) is not None:
            return check_seconds(name, given[name]) or None, None
    return None, None


def check_queue(name: object) -> str:
    """Return ``name`` if it may name a queue."""
    return _check_name("queue", name, 64)


def check_task_name(name: object) -> str:
    """Return ``name`` if it may name a task."""
    return _check_name("task", name, 255)


def _check_name(kind: str, name: object, longest: int) -> str:
    if isinstance(name, str) and len(name) <= longest and _NAME.fullmatch(name):
        return name
    raise OptionError(
        f"{name!r} cannot name a {kind}. Use 1 to {longest} letters, digits, and any of '_', '.', "
        "':', '-'."
    )


def check_priority(priority: object) -> int:
    """Return ``priority`` if it lies between 1 (first) and 1000 (last)."""
    return check_whole("priority", priority, 1, 1000)


def check_whole(name: str, value: object, low: int, high: int) -> int:
    """Return ``value`` if it is a whole number between ``low`` and ``high``."""
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise OptionError(f"The option {name!r} is {value!r}. It takes a whole number {low} to {high}.")


def check_seconds(name: str, value: object) -> float:
    """Return ``value``, a number of seconds or a timedelta, as seconds from 0 to ten years."""
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise OptionError(
            f"The option {name!r} is {value!r}. It takes seconds (a number) or a timedelta."
        )
    if math.isfinite(seconds) and 0 <= seconds <= MAX_SECONDS:
        return seconds
    raise OptionError(f"The option {name!r} is {value!r}. It takes 0 seconds to ten years.")


def check_known_queue(name: str, known: Iterable[str], *, closed: bool) -> str:
    """Refuse a queue that is a near miss of a known one; with ``closed`` any unknown one.

    Names that differ in their digits only (``tenant-1``, ``tenant-2``) are no near misses.
    """
    names = sorted(known)
    if name in names:
        return name
    others = [other for other in names if _DIGITS.sub("", other) != _DIGITS.sub("", name)]
    near = get_close_matches(name, others, n=1, cutoff=0.8)
    if not near and not closed:
        return name
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UnknownQueueError(
        f"No task uses the queue {name!r}.{hint} Known queues: {', '.join(names)}. "
        f"If it is meant, declare it: Soniq(..., queues=[{name!r}])."
    )
