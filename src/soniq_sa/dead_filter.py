"""Which dead letters are meant: a task, a queue, a reason, an error, a time, tags; checked at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict

from soniq_sa.errors import OptionError, UnknownOptionError
from soniq_sa.options import Seconds, check_tags, is_storable
from soniq_sa.states import Reason
from soniq_sa.suggestions import did_you_mean


class DeadLetterFilters(TypedDict, total=False):
    """What dead letters must have in common; without a filter all are meant.

    task: The task name, exactly.
    queue: The queue, exactly.
    reason: Why the job is dead, such as ``"timed out"``.
    error: A text that the error holds, in upper or lower case (beyond ASCII, as far as the database's
        locale tells them apart).
    since: Dead since then: an aware datetime, or an age (seconds or a timedelta), which the database
        counts from the transaction's start.
    before: Dead before then; the same forms.
    tags: Words that the job has, all of them.
    replayed: True for those that were replayed, False for those that were not, None for both.
    """

    task: str
    queue: str
    reason: str
    error: str
    since: datetime | Seconds
    before: datetime | Seconds
    tags: Iterable[str]
    replayed: bool | None


@dataclass(frozen=True, slots=True)
class DeadFilter:
    """The filters, checked. A time is an aware datetime, or an age in seconds."""

    task: str | None = None
    queue: str | None = None
    reason: str | None = None
    error: str | None = None
    since: datetime | float | None = None
    before: datetime | float | None = None
    tags: tuple[str, ...] = ()
    replayed: bool | None = None


_KNOWN = tuple(DeadLetterFilters.__annotations__)


def check_filters(given: Mapping[str, Any]) -> DeadFilter:
    """Return the filters; refuse one that does not exist, or with a value that it does not take."""
    for name in given:
        if name not in _KNOWN:
            raise UnknownOptionError(
                f"There is no filter {name!r} of dead letters.{did_you_mean(name, _KNOWN)} "
                f"Known filters: {', '.join(_KNOWN)}."
            )
    named = {name: value for name, value in given.items() if value is not None}
    return DeadFilter(**{name: _checked(name, value) for name, value in named.items()})


def _checked(name: str, value: Any) -> Any:
    match name:
        case "reason":
            return _check_reason(value)
        case "since" | "before":
            return check_moment(name, value)
        case "tags":
            return check_tags(value)
        case "replayed":
            return _check_bool(value)
        case _:
            return _check_text(name, value)


def _check_reason(value: object) -> str:
    reasons = [reason.value for reason in Reason]
    if isinstance(value, str) and value in reasons:
        return str(value)
    hint = did_you_mean(value, reasons) if isinstance(value, str) else ""
    raise OptionError(
        f"The filter 'reason' is {value!r}.{hint} The reasons are: {', '.join(reasons)}."
    )


def check_moment(name: str, value: object) -> datetime | float:
    """Return an aware datetime as it is, and an age as seconds; refuse everything else."""
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise OptionError(
                f"The filter {name!r} is the naive datetime {value!r}. Give it a time zone, for "
                "example datetime.now(UTC)."
            )
        return value
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        if math.isfinite(seconds) and 0 <= seconds <= _LONGEST_AGE:
            return float(seconds)
        raise OptionError(f"The filter {name!r} is {value!r}. An age is 0 seconds to 100 years.")
    raise OptionError(
        f"The filter {name!r} is {value!r}. It takes an aware datetime, or an age: seconds or a "
        "timedelta."
    )


_LONGEST_AGE = timedelta(days=36_525).total_seconds()


def _check_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise OptionError(f"The filter 'replayed' is {value!r}. It takes True, False or None.")


def _check_text(name: str, value: object) -> str:
    if isinstance(value, str) and value and is_storable(value):
        return value
    raise OptionError(
        f"The filter {name!r} is {value!r}. It takes a text, without U+0000 and lone surrogates."
    )
