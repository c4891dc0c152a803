"""What the doctor finds, and how bad it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is; from a warning on there is something to do."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what was found, and what to do about it.

    check: Which check found it; set where all findings are gathered.
    """

    level: Level
    what: str
    remedy: str = ""
    check: str = ""

    @property
    def needs_action(self) -> bool:
        """Tell whether there is something to do."""
        return self.level in {Level.WARNING, Level.PROBLEM}


def ok(what: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Level.OK, what)


def note(what: str, remedy: str = "") -> Finding:
    """Return something to know, which may well be meant."""
    return Finding(Level.NOTE, what, remedy)


def warning(what: str, remedy: str) -> Finding:
    """Return something that costs speed or safety, or will."""
    return Finding(Level.WARNING, what, remedy)


def problem(what: str, remedy: str) -> Finding:
    """Return something that keeps jobs from being run, or loses them."""
    return Finding(Level.PROBLEM, what, remedy)
