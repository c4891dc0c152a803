"""What can be said of a task at registration and of a job at enqueue, checked at once."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches
from enum import IntEnum
from types import MappingProxyType
from typing import Any, TypedDict

from soniq_sa.errors import OptionError, UnknownOptionError, UnknownQueueError
from soniq_sa.suggestions import did_you_mean

DEFAULT_QUEUE = "default"
DEFAULT_PRIORITY = 100
DEFAULT_RETRIES = 3
DEFAULT_RETRY_DELAY = 5.0
MAX_SECONDS = timedelta(days=3650).total_seconds()

_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_DIGITS = re.compile(r"\d+")
_MOST_TAGS = 20
_LONGEST_TAG = 64
_LARGEST_HEADERS = 8192
_LONGEST_SHOWN = 200

Seconds = float | timedelta


class Priority(IntEnum):
    """Names for five priorities; any whole number from 1 (first) to 1000 (last) may stand between.

    Example::

        session.enqueue(send_invoice.options(priority=Priority.HIGH), order)
    """

    CRITICAL = 1
    HIGH = 50
    NORMAL = 100
    LOW = 500
    BATCH = 1000


class JobOptions(TypedDict, total=False):
    """Options of one job, given to ``task.options(...)`` and read at enqueue.

    queue: The queue to put the job into, a name of letters, digits and ``_.:-``. Default: the task's.
    priority: 1 to 1000, lower runs first. Default: the task's (100).
    delay: Seconds (or a timedelta) to wait, counted by the database's clock from the transaction's
        start. Default 0.
    run_at: The earliest time to run: an aware datetime, or a number of seconds or a timedelta from
        now. Not together with ``delay``. Default: now.
    retries: How often a failed attempt is repeated. Default: the task's (3).
    timeout: Seconds (or a timedelta) that an attempt may take. 0: no limit. Default: the task's.
    expires_in: Seconds (or a timedelta) from the transaction's start after which the job is not begun
        any more: it is dead then, with the reason ``expired``. None: never. Default: the task's.
    tags: Words of 1 to 64 characters to find the job by, at most 20. Default: none.
    headers: Text by name that goes with the job, such as a trace context, at most 8 KiB; the handler
        has it as ``ctx.headers``. Default: none.
    columns: Values for your own columns of the job table, by attribute name. Default: none.
    """

    queue: str
    priority: int
    delay: Seconds
    run_at: datetime | Seconds
    retries: int
    timeout: Seconds
    expires_in: Seconds | None
    tags: Iterable[str]
    headers: Mapping[str, str]
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EnqueueOptions:
    """The options of one job, checked: what the statements need to know."""

    queue: str
    priority: int
    max_attempts: int
    delay: float | None = None
    run_at: datetime | None = None
    timeout: float | None = None
    expires_in: float | None = None
    tags: tuple[str, ...] | None = None
    headers: Mapping[str, str] | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)

    @property
    def deferred(self) -> bool:
        """Tell whether the job has a time of its own."""
        return self.delay is not None or self.run_at is not None

    @property
    def timed(self) -> bool:
        """Tell whether the database's clock has a say in the job's row."""
        return self.deferred or self.expires_in is not None


def plain_columns(options: EnqueueOptions) -> dict[str, Any]:
    """Return the options that are columns as they stand, by attribute name; most jobs have none."""
    columns: dict[str, Any] = {}
    if options.timeout is not None:
        columns["timeout"] = options.timeout
    if options.tags is not None:
        columns["tags"] = list(options.tags)
    if options.headers is not None:
        columns["headers"] = dict(options.headers)
    return columns


_KNOWN = tuple(JobOptions.__annotations__)


def check_options(given: Mapping[str, object]) -> dict[str, Any]:
    """Return what ``given`` means, by the names of `EnqueueOptions`; refuse what is unknown."""
    for name in given:
        if name not in _KNOWN:
            raise UnknownOptionError(
                f"There is no job option {name!r}.{did_you_mean(name, _KNOWN)} "
                f"Known options: {', '.join(_KNOWN)}."
            )
    return {name: value for option in given for name, value in _checked(option, given).items()}


def _checked(option: str, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: PLR0911 - one case an option
    """Return what one option means, by the names of `EnqueueOptions`."""
    value = given[option]
    match option:
        case "queue":
            return {"queue": check_queue(value)}
        case "priority":
            return {"priority": check_priority(value)}
        case "delay" | "run_at":
            delay, run_at = when(given)
            return {"delay": delay, "run_at": run_at}
        case "retries":
            return {"max_attempts": check_retries(value) + 1}
        case "tags":
            return {"tags": check_tags(value)}
        case "headers":
            return {"headers": check_headers(value)}
        case "columns":
            return {"columns": check_mapping("columns", value)}
        case "expires_in" if value is None:
            return {"expires_in": None}
        case _:
            return {option: check_seconds(option, value)}


def when(given: Mapping[str, object]) -> tuple[float | None, datetime | None]:
    """Return the delay in seconds, or the time, that ``delay`` or ``run_at`` says."""
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
        f"{shown(name)} cannot name a {kind}. Use 1 to {longest} letters, digits, and any of '_', '.', "
        "':', '-'."
    )


def check_retries(retries: object) -> int:
    """Return ``retries`` if a job may have as many."""
    return check_whole("retries", retries, 0, 1_000_000)


def check_tags(tags: Any) -> tuple[str, ...]:
    """Return the words that a job is found by: at most 20, each of 1 to 64 characters."""
    listed = isinstance(tags, Iterable) and not isinstance(tags, str | bytes | Mapping)
    words: tuple[Any, ...] = tuple(tags) if listed else ()
    if not listed or len(words) > _MOST_TAGS:
        raise OptionError(
            f"The option 'tags' is {shown(tags)}. It takes a list of at most {_MOST_TAGS} words."
        )
    for word in words:
        if not isinstance(word, str) or not 0 < len(word) <= _LONGEST_TAG or not is_storable(word):
            raise OptionError(
                f"The option 'tags' holds {shown(word)}. A tag has 1 to {_LONGEST_TAG} characters, and no "
                "U+0000."
            )
    return words


def check_headers(headers: Any) -> Mapping[str, str]:
    """Return the text that goes with a job: at most 8 KiB in all."""
    pairs = check_mapping("headers", headers)
    for name, text in pairs.items():
        if not isinstance(text, str) or not is_storable(name + text):
            raise OptionError(
                f"The option 'headers' holds {shown(name)}: {shown(text)}. It takes text by name, without "
                "U+0000."
            )
    size = sum(len(name.encode()) + len(text.encode()) for name, text in pairs.items())
    if size > _LARGEST_HEADERS:
        raise OptionError(
            f"The option 'headers' has {size} bytes, and may have {_LARGEST_HEADERS}. Pass large "
            "values as arguments."
        )
    return MappingProxyType(pairs)


def check_mapping(name: str, value: Any) -> dict[str, Any]:
    """Return ``value`` if it is a dict whose keys are text."""
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return dict(value)
    raise OptionError(
        f"The option {name!r} is {shown(value)}. It takes a dict with text as its keys."
    )


def shown(value: object) -> str:
    """Return ``value`` for an error message, however large it is."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - the border of user code: __repr__
        text = f"<{type(value).__name__}, whose repr() raises {type(error).__name__}>"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def is_storable(text: str) -> bool:
    """Tell whether PostgreSQL can store ``text``: no U+0000, and no lone surrogates."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def check_reason(name: str, reason: object) -> str | None:
    """Return ``reason`` if it is text, or None."""
    if reason is None or isinstance(reason, str):
        return reason
    raise OptionError(f"The reason of {name} is {shown(reason)}. It takes text, or None.")


def check_number(name: str, value: object, low: float, high: float) -> float:
    """Return ``value`` if it is a number between ``low`` and ``high``."""
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return float(value)
    raise OptionError(
        f"The option {name!r} is {shown(value)}. It takes a number {low:g} to {high:g}."
    )


def check_priority(priority: object) -> int:
    """Return ``priority`` if it lies between 1 (first) and 1000 (last)."""
    return check_whole("priority", priority, 1, 1000)


def check_whole(name: str, value: object, low: int, high: int) -> int:
    """Return ``value`` if it is a whole number between ``low`` and ``high``."""
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise OptionError(
        f"The option {name!r} is {shown(value)}. It takes a whole number {low} to {high}."
    )


def check_seconds(name: str, value: object) -> float:
    """Return ``value``, a number of seconds or a timedelta, as seconds from 0 to ten years."""
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value) if abs(value) <= MAX_SECONDS else math.inf
    else:
        raise OptionError(
            f"The option {name!r} is {shown(value)}. It takes seconds (a number) or a timedelta."
        )
    if math.isfinite(seconds) and 0 <= seconds <= MAX_SECONDS:
        return seconds
    raise OptionError(f"The option {name!r} is {shown(value)}. It takes 0 seconds to ten years.")


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
