"""What a handler may ask for its own job, instead of an ordinary end.

Each is returned or raised. What is *returned* by a handler with a session is committed together with
what the handler wrote; what is *raised* rolls that back first, as any exception does.
"""

from __future__ import annotations

from typing import Any

from soniq_sa.options import Seconds, check_reason, check_seconds


class Ask(Exception):  # noqa: N818 - a wish, not an error
    """Stand above what a handler may return or raise to decide on its own job."""

    reason: str | None = None

    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        self.reason = check_reason(type(self).__name__, values[-1] if values else None)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), self.reason))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({values})"


class Snooze(Ask):
    """Run the job again after some time; no attempt is consumed.

    seconds: Until then, a number or a timedelta, counted by the database's clock.
    reason: Why, for people; kept in the job's ``reason`` until it is run again.

    Raises `OptionError` for a time below 0 or above ten years.

    Example::

        if not report.ready:
            return Snooze(60, "the report is not ready")
    """

    seconds: float

    def __init__(self, seconds: Seconds, reason: str | None = None) -> None:
        super().__init__(seconds, reason)
        self.seconds = check_seconds("Snooze", seconds)


class Retry(Ask):
    """End this attempt as failed, and run the job again; the attempt is consumed.

    delay: Seconds until then, a number or a timedelta. Default: what the task's options say.
    reason: Why, for people; kept as the attempt's error.

    After the last attempt the job is dead with the reason ``retries exhausted``.
    """

    delay: float | None = None

    def __init__(self, delay: Seconds | None = None, reason: str | None = None) -> None:
        super().__init__(delay, reason)
        self.delay = None if delay is None else check_seconds("Retry", delay)


class Cancel(Ask):
    """End the job in the state ``cancelled``: it is no longer wanted.

    reason: Why, for people; kept in the job's ``reason``.
    """

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason)


class Discard(Ask):
    """End the job as a dead letter with the reason ``discarded``: to try it again is useless.

    reason: Why, for people; kept as the job's error.
    """

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason)


def is_ask(annotation: Any) -> bool:
    """Tell whether an annotation is one of these classes."""
    return isinstance(annotation, type) and issubclass(annotation, Ask)
