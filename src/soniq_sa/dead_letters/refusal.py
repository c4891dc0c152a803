"""Replays that the database refuses: the fresh job would violate a constraint of the job table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from soniq_sa.errors import ReplayRefusedError

_TAKEN = ("23505", "23P01")
"""The SQLSTATEs for a value that another row has: of unique indexes, and of exclusions."""

_SAY_WHICH = (*_TAKEN, "23503")
"""Those whose detail is the value; that of the others is the whole row."""

_LONGEST_DETAIL = 300


@dataclass(frozen=True, slots=True)
class Violation:
    """What the database said.

    constraint: Its name; None if it has none. text: The message. advice: What can be done.
    """

    constraint: str | None
    text: str
    advice: str


def violation_of(error: IntegrityError) -> Violation:
    """Return what the driver knows: psycopg's errors have a ``diag``, asyncpg's are the cause."""
    origin: Any = error.orig
    told = getattr(origin, "diag", None) or origin.__cause__ or origin
    state = getattr(told, "sqlstate", None)
    message = _first_of(told, "message_primary", "message") or str(origin)
    detail = _first_of(told, "message_detail", "detail") if state in _SAY_WHICH else None
    sentences = [f"{message.rstrip('.')}."]
    if detail:
        sentences.append(
            detail if len(detail) <= _LONGEST_DETAIL else f"{detail[: _LONGEST_DETAIL - 1]}…"
        )
    return Violation(
        getattr(told, "constraint_name", None),
        " ".join(sentences),
        _OF_TAKEN if state in _TAKEN else _OF_OTHERS,
    )


@contextmanager
def one_refused(job_id: UUID) -> Iterator[None]:
    """Say which dead letter it is that the database refuses to replay."""
    try:
        yield
    except IntegrityError as error:
        violation = violation_of(error)
        refused = ReplayRefusedError(
            f"The dead letter {job_id} cannot be replayed: {violation.text} {violation.advice}"
        )
        refused.refused = (job_id,)
        raise refused from error


@contextmanager
def some_refused() -> Iterator[None]:
    """Say that the database refuses one of many, in a transaction that nothing can follow in."""
    try:
        yield
    except IntegrityError as error:
        violation = violation_of(error)
        raise ReplayRefusedError(
            f"One of the dead letters cannot be replayed: {violation.text} Roll the transaction back. In "
            f"transactions of its own, without session=, replay_many goes on. {violation.advice}"
        ) from error


def many_refused(
    refused: Mapping[UUID, Violation], replayed: int, *, gave_up: bool
) -> ReplayRefusedError:
    """Return the error for those of many that were refused, after the others are committed."""
    first, violation = next(iter(refused.items()))
    names = sorted({one.constraint for one in refused.values() if one.constraint})
    end = f" It stopped after {len(refused)} of them." if gave_up else ""
    by = f" by {', '.join(names)}" if names else ""
    error = ReplayRefusedError(
        f"Dead letters replayed: {replayed} (they stay so); refused{by}: {len(refused)}.{end} The first "
        f"is {first}: {violation.text} {violation.advice}"
    )
    error.replayed = replayed
    error.refused = tuple(refused)
    return error


def _first_of(told: Any, *names: str) -> str | None:
    found = [text for name in names if isinstance(text := getattr(told, name, None), str)]
    return found[0] if found else None


_OF_TAKEN = (
    "The fresh job has your own columns of the dead one. If the index counts dead jobs, leave them out: "
    'postgresql_where=Job.state != "dead". Else another job has the value: wait for its end, or '
    "delete the dead letter."
)
_OF_OTHERS = (
    "The fresh job has your own columns of the dead one: change them in its row, or change the "
    "constraint, or the options of the replay."
)
