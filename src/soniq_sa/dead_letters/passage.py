"""A passage through the dead letters that match: batch by batch, the oldest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from soniq_sa.dead_filter import DeadFilter, DeadLetterFilters, check_filters
from soniq_sa.dead_letters.refusal import Violation
from soniq_sa.dead_letters.replay_options import KNOWN_OPTIONS
from soniq_sa.errors import OptionError, UnknownOptionError
from soniq_sa.options import check_whole

BATCH = 1_000
"""Rows that one statement replays or deletes."""

MOST_REFUSED = 100
"""Letters that may be refused before a replay gives up: probably none can be replayed."""

Place = tuple[datetime, UUID]
"""Where a letter stands in the order of deaths."""


@dataclass(slots=True)
class Passage:
    """How far a passage through the dead letters that match has come.

    left: How many it may still touch; None for all. began_at: Those that died later are not meant.
    """

    filters: DeadFilter
    left: int | None
    began_at: datetime | None = None
    done: int = 0
    ended: bool = False

    @property
    def batch_size(self) -> int:
        """Return how many rows the next statement may touch."""
        return BATCH if self.left is None else min(self.left, BATCH)

    def count(self, touched: int) -> None:
        """Note how many rows the last statement has touched."""
        self.ended = touched < self.batch_size
        self.done += touched
        if self.left is not None:
            self.left -= touched
            self.ended = self.ended or not self.left


@dataclass(slots=True)
class ReplayPassage(Passage):
    """A passage that leaves what it touches among the letters that match, and goes by their order.

    A batch that the database refuses is tried again in halves. What is refused alone is passed over.

    fresh: The statement's parameters for the fresh jobs. after: The last letter that was touched.
    alone: The letter that is tried alone. refused: Those that were, and why.
    """

    fresh: Mapping[str, Any] = field(default_factory=dict)
    after: Place | None = None
    alone: Place | None = None
    refused: dict[UUID, Violation] = field(default_factory=dict)
    size: int = BATCH

    @property
    def batch_size(self) -> int:
        """Return how many rows the next statement may touch."""
        return self.size if self.left is None else min(self.left, self.size)

    @property
    def gave_up(self) -> bool:
        """Tell whether so many were refused that the others are not tried."""
        return len(self.refused) >= MOST_REFUSED

    def advance(self, rows: Sequence[Row[Any]]) -> None:
        """Go on behind what was replayed, with larger batches again."""
        if rows:
            self.after = (rows[-1].finished_at, rows[-1].dead_id)
        self.count(len(rows))
        self.size = min(2 * self.size, BATCH)

    def narrow(self, violation: Violation) -> None:
        """Try half of the batch next; pass over a letter that was refused alone."""
        if self.alone is None:
            self.size = max(self.batch_size // 2, 1)
            return
        _, refused = self.after = self.alone
        self.refused[refused] = violation
        self.ended = self.gave_up


def new_passage(filters: DeadFilter, limit: int | None) -> Passage:
    """Return a passage through what matches, up to ``limit`` letters."""
    return Passage(filters, _left(limit))


def new_replay(
    given: DeadLetterFilters, limit: int | None, fresh: Mapping[str, Any]
) -> ReplayPassage:
    """Return a passage that replays: without a word on it, what was not replayed yet."""
    for name in given:
        if name in KNOWN_OPTIONS and name not in DeadLetterFilters.__annotations__:
            raise UnknownOptionError(
                f"There is no filter {name!r} of dead letters. For the fresh jobs, write "
                f"options={{{name!r}: ...}}."
            )
    filters = check_filters({"replayed": False, **given})
    return ReplayPassage(filters, _left(limit), fresh=fresh)


def delete_filters(given: DeadLetterFilters) -> DeadFilter:
    """Return the filters for a deletion; refuse to delete everything by accident."""
    filters = check_filters(given)
    if filters == DeadFilter():
        raise OptionError(
            "delete() was given neither ids nor a filter. To delete all dead letters, write "
            "purge(older_than=0)."
        )
    return filters


def refuse_both(filters: DeadLetterFilters, limit: int | None) -> None:
    """Refuse filters beside ids: would both have to hold, or either?"""
    if filters or limit is not None:
        raise OptionError(
            "delete() was given ids, and filters or a limit as well. Give the ids alone, or none."
        )


def _left(limit: int | None) -> int | None:
    return None if limit is None else check_whole("limit", limit, 1, 10**12)
