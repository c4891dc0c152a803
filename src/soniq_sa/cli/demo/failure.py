"""What ends the demo before its report."""

from __future__ import annotations


class DemoFailedError(Exception):
    """The demo cannot go on; the message says why, with the end of the log that explains it."""


class TookTooLongError(DemoFailedError):
    """Something that should have happened by now has not."""
