"""A secret that every output of these tests is searched for."""

from __future__ import annotations

import traceback

SECRET = "hunter2-correct-horse"  # noqa: S105 - nobody's
MASK = "[redacted]"


def everything_of(error: BaseException) -> str:
    """Return all that a program may log of an error: with what it stems from, and notes."""
    return "".join(traceback.format_exception(error)) + repr(error)
