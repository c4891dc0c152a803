"""Times and durations as they are typed."""

from __future__ import annotations

from datetime import datetime

from soniq_sa.dead_filter import check_moment
from soniq_sa.errors import OptionError
from soniq_sa.options import check_seconds

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def moment(option: str, text: str) -> datetime | float:
    """Return a time, or an age in seconds, that was typed."""
    if (seconds := _seconds(text)) is not None:
        return check_moment(option, seconds)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise OptionError(
            f"{option} {text!r} is no time. Write an age as 90 (seconds), 15m, 2h or 7d, or a time as "
            "2026-11-20T09:30:00Z."
        ) from None
    if time.utcoffset() is None:
        raise OptionError(
            f"{option} {text!r} has no time zone. Write it as {text}Z, or {text}+01:00."
        )
    return time


def duration(option: str, text: str) -> float:
    """Return a number of seconds that was typed."""
    if (seconds := _seconds(text)) is not None:
        return check_seconds(option, seconds)
    raise OptionError(f"{option} {text!r} is no duration. Write it as 90 (seconds), 15m, 2h or 7d.")


def _seconds(text: str) -> float | None:
    number, unit = (text[:-1], text[-1]) if text[-1:] in _SECONDS else (text, "s")
    try:
        return float(number) * _SECONDS[unit]
    except ValueError:
        return None
