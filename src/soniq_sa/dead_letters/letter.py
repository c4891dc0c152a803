"""One dead letter, and the numbers of many."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Row, RowMapping

from soniq_sa.masks import MASK
from soniq_sa.redaction import Redaction


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that is dead, as it was when it was read.

    Its ``repr()`` leaves out arguments, error, headers and your columns, so that a log of it gives
    nothing away.

    id: The id of the dead job.
    task, queue, priority, max_attempts: As the job was enqueued.
    reason: Why it is dead, such as ``"retries exhausted"``.
    error: The error of its last attempt, with the traceback.
    args: Its arguments as JSON has them, not with the types of the handler.
    attempts: How many attempts it took.
    created_at: When it was enqueued.
    finished_at: Since when it is dead.
    tags, headers: Those of the job; empty without any.
    replays: How often it was replayed.
    replay_of: The dead job of which this one was a replay, if it was one.
    columns: The values of your own columns of the job table, by the names of the columns.
    """

    id: UUID
    task: str
    queue: str
    priority: int
    max_attempts: int
    reason: str | None
    error: str | None = field(repr=False)
    args: Any = field(repr=False)
    attempts: int
    created_at: datetime
    finished_at: datetime | None
    tags: tuple[str, ...]
    headers: Mapping[str, str] = field(repr=False)
    replays: int
    replay_of: UUID | None
    columns: Mapping[str, Any] = field(default_factory=dict, repr=False)


Page = list[DeadLetter]

_PLAIN = (
    "id",
    "task",
    "queue",
    "priority",
    "max_attempts",
    "reason",
    "error",
    "attempts",
    "created_at",
    "finished_at",
    "replay_of",
)


def letter_of(values: RowMapping, columns: Iterable[Column[Any]]) -> DeadLetter:
    """Return the dead letter in a row of `soniq_sa.statements.dead.list_dead`.

    columns: Those of the user.
    """
    tags, headers = decoded(values["tags"]), decoded(values["headers"])
    return DeadLetter(
        **{name: values[name] for name in _PLAIN},
        args=decoded(values["args"]),
        tags=tuple(map(str, tags)) if isinstance(tags, list) else (),
        headers=headers if isinstance(headers, dict) else {},
        replays=values["replays"] or 0,
        columns={one.name: values[one] for one in columns},
    )


def redacted(letter: DeadLetter, redaction: Redaction) -> DeadLetter:
    """Return a dead letter for people, without what is secret in it."""
    return replace(
        letter,
        args=MASK if isinstance(letter.args, str) else redaction.json(letter.args),
        headers=redaction.json(letter.headers),
        columns=redaction.json(dict(letter.columns)),
        error=letter.error and redaction.scrub(letter.error, *_documents(letter)),
    )


def _documents(letter: DeadLetter) -> list[str]:
    return [json.dumps(letter.args), json.dumps(letter.headers)]


def decoded(text: str | None) -> Any:
    """Return JSON as Python has it; as the text, if Python cannot: too deep, too many digits."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except (RecursionError, ValueError):
        return text


@dataclass(frozen=True, slots=True)
class DeadLetterStats:
    """The numbers of the dead letters that were asked for.

    total: How many there are.
    replayed: How many of them were replayed, once or more often.
    replays: How many fresh jobs were made of them.
    oldest, newest: Since when the first and the last of them are dead; None without any.
    by_task, by_queue, by_reason: How many there are of each, the most first.
    """

    total: int
    replayed: int
    replays: int
    oldest: datetime | None
    newest: datetime | None
    by_task: Mapping[str, int]
    by_queue: Mapping[str, int]
    by_reason: Mapping[str, int]


def stats_of(rows: Sequence[Row[Any]]) -> DeadLetterStats:
    """Return the numbers in rows of `soniq_sa.statements.dead.count_dead`."""
    return DeadLetterStats(
        total=sum(row.total for row in rows),
        replayed=sum(row.replayed for row in rows),
        replays=int(sum(row.replays for row in rows)),
        oldest=rows[0].oldest if rows else None,
        newest=rows[0].newest if rows else None,
        by_task=_totals((row.task, row.total) for row in rows),
        by_queue=_totals((row.queue, row.total) for row in rows),
        by_reason=_totals((row.reason or "", row.total) for row in rows),
    )


def _totals(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for name, number in pairs:
        totals[name] += number
    return dict(sorted(totals.items(), key=lambda pair: (-pair[1], pair[0])))
