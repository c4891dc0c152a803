"""The tasks whose runs the tests direct, and every way in which a run of theirs may end.

What a handler does is an `Ending`. `Ending.end` says, in the words of the model, what becomes of its
job; how that comes about is the library's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from soniq_sa import Cancel, Discard, Retry, Snooze
from tests.lifecycle.model import HOUR, End, Shown


@dataclass(frozen=True)
class Spec(Shown):
    """A task: when it is repeated, how long it is kept, and how its handler writes.

    writes: ``alone``: in transactions of its own; ``session``: in a session that also commits the end
        of the job, and with an order; ``transaction``: in a ``ctx.transaction()``.
    """

    name: str
    delays: tuple[float, ...] = (0.0,)
    writes: str = "alone"
    gives_up_on: type[Exception] | None = None
    kept: Mapping[str, float | None] = field(default_factory=dict)
    is_sync: bool = False

    def __repr__(self) -> str:
        return self.name

    def delay(self, attempt: int) -> float:
        """Return the seconds after the failed ``attempt``, from 1."""
        return self.delays[min(attempt, len(self.delays)) - 1]

    @property
    def in_session(self) -> bool:
        """Tell whether the handler's session commits the end of the job."""
        return self.writes == "session"


SPECS = [
    Spec("hasty"),
    Spec(
        "patient",
        (HOUR, 2 * HOUR),
        gives_up_on=PermissionError,
        kept={"done": None, "cancelled": 0.0, "dead": HOUR},
    ),
    Spec("writing", (0.0, HOUR), writes="session"),
    Spec("stepping", writes="transaction", kept={"done": HOUR, "cancelled": None}),
    Spec("passing", kept={"done": 0.0}),
    Spec("passing_writing", writes="session", kept={"done": 0.0, "dead": 0.0}),
]


@dataclass(frozen=True)
class Ending(Shown):
    """What a handler does in the end: return a value, or raise it.

    means: What becomes of the job; with ``delay_of_task`` after the delay that the task says.
    child: Whether it enqueues another job before, as `Spec.writes` says.
    """

    what: Any
    means: End
    delay_of_task: bool = False
    raised: bool = False
    child: bool = False

    def __repr__(self) -> str:
        how = "raise" if self.raised else "return"
        return f"{how} {self.what!r}{' after a child' if self.child else ''}"

    def play(self) -> Any:
        """Return or raise."""
        if self.raised:
            raise copy(self.what)
        return self.what

    def end(self, spec: Spec, attempt: int) -> End:
        """Return what becomes of the job in that attempt."""
        if spec.gives_up_on is not None and isinstance(self.what, spec.gives_up_on):
            return replace(self.means, state="dead", reason="gave up")
        return replace(self.means, delay=spec.delay(attempt)) if self.delay_of_task else self.means

    @property
    def commits(self) -> bool:
        """Tell whether a session's writes are kept, if the job is still the worker's."""
        return not self.raised and self.means.kept != "invalid result"


def _again(kept: str, error: str, reason: str = "retries exhausted", delay: float = 0.0) -> End:
    return End("again", kept=kept, reason=reason, error=error, delay=delay)


def _dead(reason: str, error: str) -> End:
    return End("dead", kept=reason, reason=reason, error=error)


def timed_out(spec: Spec, attempt: int) -> End:
    """Return what becomes of a job whose attempt takes too long."""
    return _again("timed out", "longer than its timeout", "timed out", spec.delay(attempt))


INVALID_ARGUMENTS = _dead("invalid arguments", "number")
ENTITY_GONE = _dead("entity gone", "which is not in the database")
CANCELLED = End("cancelled", kept="cancelled")
"""What a handler that is cancelled where it runs comes to."""

DONE = Ending(None, End("done"))
_ASKED = "The handler asked for another attempt."
_ASKS = [
    Ending(Snooze(0), End("again", counts=False)),
    Ending(Snooze(HOUR, "later"), End("again", counts=False, reason="later", delay=HOUR)),
    Ending(Retry(), _again("retried", _ASKED), delay_of_task=True),
    Ending(Retry(0, "at once"), _again("retried", "at once")),
    Ending(Retry(HOUR, "once more"), _again("retried", "once more", delay=HOUR)),
    Ending(Cancel(), CANCELLED),
    Ending(Cancel("unwanted"), replace(CANCELLED, reason="unwanted")),
    Ending(Discard("useless"), _dead("discarded", "useless")),
]
_RETURNED = [
    DONE,
    Ending(7, End("done", result=7)),
    Ending("no number", _dead("invalid result", "no number")),
]
_RAISED = [
    Ending(ValueError("bad luck"), _again("failed", "bad luck"), delay_of_task=True, raised=True),
    Ending(
        PermissionError("no entry"), _again("failed", "no entry"), delay_of_task=True, raised=True
    ),
]
_CHILDLESS = [*_RETURNED, *_RAISED, *_ASKS, *(replace(one, raised=True) for one in _ASKS)]
ENDINGS = [*_CHILDLESS, *(replace(one, child=True) for one in _CHILDLESS)]
