"""Deletes jobs whose retention is over: any worker for all, a thousand at a time.

A turn goes through all that is over, page by page, oldest first. Several workers at it pass over each
other's rows. A job that a row of the user refers to cannot be deleted: it is put off for as long again
as it has been kept, between an hour and a week. What the database refuses for a reason that the models
do not tell is found by halving the page, so that the others go all the same; a page with many of these
is put off as a whole, because each refusal is an error in the server's log.

    look at a page ──▶ put off what is held ──▶ delete the rest ──▶ next page, or rest
                                                    └ refused: each half by itself
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.events import JobsHeld, JobsPruned
from soniq_sa.link import DatabaseAway, StatementRefused
from soniq_sa.models.roles import Models
from soniq_sa.runtime.service import Service
from soniq_sa.statements.prune import (
    prunable_jobs,
    prune_jobs,
    put_off_pruning,
    references_to,
)
from soniq_sa.subscribers import Events

PRUNE_EVERY = 30.0
"""Seconds between two turns, about: workers that start together do not prune together."""

_PAGE = 1_000
_MOST_REFUSALS = 40
"""Of one page."""
_GRACE = 1.0
_SHORTEST = 3_600.0
_LONGEST = 7 * 86_400.0


class Pruner(Service):
    """Delete jobs whose retention is over; it connects for each turn, and holds nothing between."""

    name = "pruner"

    def __init__(self, events: Events, engine: AsyncEngine, models: Models) -> None:
        super().__init__(events, engine)
        self._look = prunable_jobs(models)
        self._prune = prune_jobs(models)
        self._put_off = put_off_pruning(models)
        self._references = ", ".join(
            f"{one.table.fullname}.{one.name}" for one in references_to(models.jobs)
        )
        self._size = _PAGE
        self._since: str | None = None
        self._refusals = 0
        self._seen: bool | None = None

    def note_look(self, *, prunable: bool) -> None:
        """Learn whether the retention of a job is over: if not, the next turn is left out."""
        self._seen = prunable

    async def run_once(self) -> float | None:
        """Prune a page, and run again at once if there may be more."""
        rest = PRUNE_EVERY * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, hides nothing
        seen, self._seen = self._seen, None
        if seen is False:
            return rest
        try:
            again = await self._prune_page()
        except DatabaseAway:
            self._size = max(1, self._size // 4)  # so many deletions may have taken too long
            raise
        self._size = min(_PAGE, 2 * self._size)
        if again:
            return 0
        self._since = None
        await self.link.close()
        return rest

    async def stop(self) -> None:
        """Let the running statement end, if that is soon: nothing is lost by breaking it off."""
        self.end()
        if self._task is not None:
            try:
                await asyncio.wait({self._task}, timeout=_GRACE)
            finally:
                self._task.cancel()
            await asyncio.wait({self._task})

    async def _prune_page(self) -> bool:
        """Tell whether there may be another page, and this one was not all somebody else's."""
        size, self._refusals = self._size, 0
        page = await self.link.execute(self._look, {"page_size": size, "since": self._since})
        held = [row.id for row in page if row.held]
        if held:
            await self._hold(held, f"rows of {self._references} refer to them")
        pruned = await self._delete([row.id for row in page if not row.held])
        if pruned:
            self.events.emit(JobsPruned(pruned))
        before, self._since = self._since, page[-1].keep_until if page else None
        return len(page) == size and bool(held or pruned or before != self._since)

    async def _delete(self, ids: Sequence[UUID]) -> int:
        """Delete jobs, and return how many; put off those that the database refuses to delete."""
        if not ids or self._stopping.is_set():
            return 0
        try:
            return len(await self.link.execute(self._prune, {"ids": list(ids)}))
        except StatementRefused as refusal:
            self._refusals += 1
            if len(ids) == 1 or self._refusals >= _MOST_REFUSALS:
                await self._hold(ids, str(refusal))
                return 0
            middle = len(ids) // 2
            return await self._delete(ids[:middle]) + await self._delete(ids[middle:])

    async def _hold(self, ids: Sequence[UUID], why: str) -> None:
        times = {"shortest": _SHORTEST, "longest": _LONGEST}
        await self.link.execute(self._put_off, {"ids": list(ids), **times})
        self.events.emit(JobsHeld(ids, why))
