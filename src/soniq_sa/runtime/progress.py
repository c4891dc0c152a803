"""Writes how far running jobs are: what each said last, a few times a second for all together."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.link import DatabaseAway, StatementRefused
from soniq_sa.models.roles import Models
from soniq_sa.progress import LONGEST_NOTE
from soniq_sa.runtime.failure import storable
from soniq_sa.runtime.jobs import HeldJob
from soniq_sa.runtime.service import Service
from soniq_sa.statements.progress import write_progress
from soniq_sa.subscribers import Events

_PAUSE = 0.25
"""Seconds between two writes at least; what is said between them is written by the next."""


class _Said(NamedTuple):
    done: float
    total: float | None
    note: str | None


class ProgressWriter(Service):
    """Take what handlers say, from any thread, and write it."""

    name = "progress"

    def __init__(self, events: Events, engine: AsyncEngine, models: Models) -> None:
        super().__init__(events, engine)
        self._statement = write_progress(models)
        self._loop = asyncio.get_running_loop()
        self._said: dict[HeldJob, _Said] = {}
        self._planned = False
        self._written_at = float("-inf")

    def report(self, job: HeldJob, done: float, total: float | None, note: str | None) -> None:
        """Have the progress of ``job`` written soon; does nothing once the worker has ended."""
        job.reported = True
        said = _Said(done, total, None if note is None else storable(note, LONGEST_NOTE))
        with suppress(RuntimeError):  # the loop is closed: a thread that outlived its worker
            self._loop.call_soon_threadsafe(self._note, job, said)

    async def run_once(self) -> float | None:
        """Write what each job said last."""
        self._planned = False
        said, self._said = self._said, {}
        if not said:
            return None
        try:
            await self.link.execute(
                self._statement,
                {
                    "ids": [job.id for job in said],
                    "claim_numbers": [job.claims for job in said],
                    "owners": [job.worker_id for job in said],
                    "done": [one.done for one in said.values()],
                    "total": [one.total for one in said.values()],
                    "notes": [one.note for one in said.values()],
                },
            )
        except DatabaseAway:
            self._said = {**said, **self._said}
            raise
        finally:
            self._written_at = self._loop.time()
        return None

    async def stop(self) -> None:
        """End, and write what was said last."""
        await super().stop()
        with suppress(DatabaseAway, StatementRefused):
            await self.run_once()

    def _note(self, job: HeldJob, said: _Said) -> None:
        self._said[job] = said
        if not self._planned:
            self._planned = True
            self._loop.call_at(self._written_at + _PAUSE, self.wake)
