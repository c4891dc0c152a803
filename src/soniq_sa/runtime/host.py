"""What the program around a worker does for it, where the worker's own event loop cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from soniq_sa.events import LoopBlocked


class Guard(Protocol):
    """The worker's end of whatever notices that no thread of it can run; see `soniq_sa.cli.guard`."""

    def pulse(self, worker_id: UUID) -> None:
        """Say that Python runs, and that handlers do."""
        ...

    def rest(self) -> None:
        """Say that no handler runs, so that no pulse is missed."""
        ...

    def told(self) -> list[tuple[float, LoopBlocked]]:
        """Return what was noticed since the last call, each with its begin by ``time.monotonic``."""
        ...

    def hear_signals(self) -> None:
        """Have the guard hear of SIGTERM and SIGINT, from now on; must be called in the running loop."""
        ...

    def keep_hearing(self) -> None:
        """Have it hear of them still, after the program has set up signals of its own."""
        ...

    def note_signal(self) -> None:
        """Say that the worker has taken one of them."""
        ...

    def ignore_signals(self) -> None:
        """Have the guard hear of them no more."""
        ...


class NoGuard:
    """Where nobody guards the worker: it runs inside a program that is not ours."""

    def pulse(self, worker_id: UUID) -> None:
        """Do nothing."""

    def rest(self) -> None:
        """Do nothing."""

    def told(self) -> list[tuple[float, LoopBlocked]]:
        """Return nothing."""
        return []

    def hear_signals(self) -> None:
        """Do nothing."""

    def keep_hearing(self) -> None:
        """Do nothing."""

    def note_signal(self) -> None:
        """Do nothing."""

    def ignore_signals(self) -> None:
        """Do nothing."""


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Host:
    """The program around a worker.

    guard: What notices that no thread of the worker can run.
    may_exit: Whether the worker may end the process, if its loop does not answer when it is to stop.
    look: Called by a thread while the loop does not answer: reads what the loop would have read, and may
        ask the worker to stop.
    """

    guard: Guard = field(default_factory=NoGuard)
    may_exit: bool = False
    look: Callable[[], None] = _nothing
