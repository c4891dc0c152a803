"""Keeps the slots full.

One claim takes as many jobs as there are free slots. While jobs are over in a moment, the next batch
is taken ahead, so that neither the handlers nor the database wait for each other: PostgreSQL finishes
one batch and claims another while the handlers of a third run. While they are slow nothing is taken
ahead, because a job that waits here cannot be run by an idle worker elsewhere.

At most twice the concurrency is claimed and without an end that is on its way to PostgreSQL: so much,
and no more, may be started again if the worker dies.

A claim does not wait for the disk. If the server crashes and forgets it, the job is in its queue as before;
and an end that was committed later was written to the disk behind its claim. Where the same worker claims
the job again it gets the same fence: that is the claim which was forgotten, and its run goes on.

A claim whose answer was lost may have given jobs to this worker that it does not know of. So after
every trouble, at each beat while it holds jobs, and once in a lease while it holds none, the worker
compares what the table says is its own with what it holds, and releases the difference.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Row
from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.events import JobsReleased
from soniq_sa.link import Link
from soniq_sa.models.channel import SUSPECT_HINT, without_hints
from soniq_sa.models.roles import Models
from soniq_sa.retention import Retention
from soniq_sa.runtime.beats import Look
from soniq_sa.runtime.jobs import HeldJob, HeldJobs
from soniq_sa.runtime.lease import Lease
from soniq_sa.runtime.marks import Marks
from soniq_sa.runtime.pace import Pace
from soniq_sa.runtime.service import Service
from soniq_sa.runtime.suspects import Suspects
from soniq_sa.statements.claim import claim_jobs, queues_with_jobs
from soniq_sa.statements.finish import release_jobs
from soniq_sa.statements.upkeep import owned_jobs
from soniq_sa.subscribers import Events

_AHEAD = 0.02
"""Seconds of work that may be claimed ahead."""
_GATHER = 0.005
"""Under load, slots that become free within this time are filled by one claim."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a worker takes. ``queues`` None means every queue, of which ``known`` are the first."""

    queues: tuple[str, ...] | None
    known: tuple[str, ...]
    tasks: tuple[str, ...]


class Claimer(Service):
    """Claim jobs when there are slots, and when there may be jobs.

    There may be: after a wake-up, after a claim that took all it asked for, and once in a poll
    interval. ``on_empty`` is called when nothing was found and nothing is held.
    """

    name = "claimer"

    def __init__(
        self,
        events: Events,
        engine: AsyncEngine,
        models: Models,
        lease: Lease,
        *,
        retention: Retention,
        held: HeldJobs,
        served: Served,
        concurrency: int,
        poll_interval: float,
        on_claimed: Callable[[list[HeldJob]], None],
        on_cancel: Callable[[list[UUID]], None],
        on_empty: Callable[[], Awaitable[None]] | None,
    ) -> None:
        super().__init__(events, engine)
        self.link = Link(engine, durable=False)
        self._lease = lease
        self._held = held
        self._served = served
        self._queues = list(served.queues or served.known)
        self._concurrency = concurrency
        self._poll_interval = poll_interval
        self._on_claimed = on_claimed
        self._on_cancel = on_cancel
        self._on_empty = on_empty
        self._claim = claim_jobs(models)
        self._claim_marked = claim_jobs(models, marked=True)
        self._marks = Marks()
        self._claim_suspects = claim_jobs(models, suspects=True)
        self._suspects = Suspects()
        self._owned = owned_jobs(models)
        self._release = release_jobs(models, retention)
        self._find_queues = queues_with_jobs(models)
        self._pace = Pace()
        self._backlog = False
        self._unsure = True
        self._asked = True
        self._compared_at = -math.inf
        self._looked_at = -math.inf
        self._queues_seen_at = -math.inf

    def note_queued(self, queues: frozenset[str]) -> bool:
        """Look for jobs in ``queues``; return whether all of these are served here."""
        self.note_wakeup(queues)
        return self._served.queues is None or queues <= set(self._served.queues)

    def note_wakeup(self, queues: frozenset[str]) -> None:
        """Look for jobs; ``queues`` says where they are, and is empty if that is not known."""
        named = without_hints(queues)
        self._suspects.note_news()
        if SUSPECT_HINT in queues:
            self._suspects.expect()
        elif queues and not named:
            return
        if not queues:
            self._queues_seen_at = -math.inf
        if self._served.queues is None:
            self._queues += named - set(self._queues)
        elif named and named.isdisjoint(self._served.queues):
            return
        self._marks.note_news()
        self.wake()

    def note_look(self, look: Look) -> None:
        """Learn what a look found; it is as good as a wake-up, or as a claim that found nothing."""
        now = self._now()
        self._looked_at = self._queues_seen_at = now
        self._suspects.note_look(now, found=look.suspects)
        if self._held:
            self.wake()
        elif look.owned:
            self._unsure = True
            self.wake()
        else:
            self._compared_at = now
        if look.queues or look.suspects:
            self.note_wakeup(look.queues | ({SUSPECT_HINT} if look.suspects else set()))

    def wake(self) -> None:
        """Have it look now, or again at once if it is looking."""
        self._asked = True
        super().wake()

    @property
    def asked(self) -> bool:
        """Tell whether it was woken since its last look began."""
        return self._asked

    def note_returned(self) -> None:
        """Look for a job that is to run again at once."""
        self._marks.note_news()
        self.wake()

    def note_room(self) -> None:
        """Claim more if there is more: there may be slots."""
        if self._backlog:
            self.wake()

    def note_over(self, count: int) -> None:
        """Learn that the ends of ``count`` jobs are written: there are slots, and this is the pace."""
        self._pace.note(count, self._now())
        if self._backlog or self._on_empty is not None or self._suspects_due <= self._now():
            self.wake()

    async def run_once(self) -> float | None:
        """Claim as many jobs as there are slots for."""
        poll = self._lease.unless_looked(self._poll_interval)
        left = self._looked_at + poll - self._now()
        pause = min(left, self._due_at - self._now())
        if pause > 0 and not (self._asked or self._unsure or self._backlog):
            return pause
        if left <= 0:
            self._marks.note_news()
        self._asked = False
        if self._unsure or self._now() - self._compared_at > self._compare_every:
            await self._release_unknown()
        if not self._held:
            self._pace.begin(self._now())
        room = self._room()
        if room <= min(self._pace.rate * _GATHER, self._concurrency / 2) and self._held:
            self._backlog = True
            return poll
        self._backlog = len(await self._take_next(room)) == room
        if self._suspects_due <= self._now() or (self._on_empty is not None and not self._held):
            await self._take_suspect()
        if self._backlog:
            return 0
        empty = not self._held
        if await self._find_new_queues(now=empty and self._on_empty is not None):
            self._marks.note_news()
            self._asked = True
            return 0
        if empty and self._on_empty is not None:
            await self._on_empty()
        return min(poll, max(0.001, self._due_at - self._now()))

    @property
    def _compare_every(self) -> float:
        return self._lease.every if self._held else self._lease.unless_looked(self._lease.seconds)

    @property
    def _due_at(self) -> float:
        return min(self._marks.whole_due_at, self._suspects_due)

    @property
    def _suspects_due(self) -> float:
        return self._suspects.due_at(self._held, self._now())

    def _room(self) -> int:
        ahead = min(self._concurrency, int(self._pace.rate * _AHEAD))
        ending = min(self._held.sent, self._concurrency)
        return self._concurrency + ahead - (len(self._held) - ending)

    async def _take_next(self, limit: int) -> list[HeldJob]:
        """Claim up to ``limit`` jobs: from the marks, and whatever they do not lead to."""
        self._queues.append(self._queues.pop(0))
        claimed: list[HeldJob] = []
        if self._marks.lead(began := self._now()):
            places = self._marks.places(self._queues)
            claimed = await self._take(self._claim_marked, limit, **places)
            self._marks.note_marked(claimed, began, self._now() - began)
            began = self._now()
            if len(claimed) == limit:
                return claimed
            if self._on_empty is None and not self._marks.whole_due(began):
                self._marks.note_news()
                return claimed
        self._marks.begin_whole()
        self._looked_at = began
        found = await self._take(self._claim, limit - len(claimed))
        full = len(found) == limit - len(claimed)
        self._marks.note_whole(found, began, self._now() - began, full=full)
        return claimed + found

    async def _take_suspect(self) -> None:
        most = self._suspects.most_crashes(self._held)
        jobs = await self._take(self._claim_suspects, 1, most_crashes=most)
        self._suspects.note_claimed(jobs, self._now())

    async def _take(self, statement: Executable, limit: int, **more: Any) -> list[HeldJob]:
        """Claim up to ``limit`` jobs, and have them run; nothing more once the worker is to stop."""
        if self._stopping.is_set():
            return []
        worker_id = self._lease.worker_id
        self._unsure = True
        asked_at = self._now()
        rows = await self.link.fetch(
            statement,
            {
                "queues": self._queues,
                "tasks": self._served.tasks,
                "limit": limit,
                "owner": worker_id,
                **more,
            },
        )
        self._unsure = False
        jobs = [HeldJob(worker_id, asked_at, *row) for row in rows]
        jobs.sort(key=lambda job: (job.priority, job.run_at, job.id))
        new = [job for job in jobs if not self._held.has_claim(job)]
        for job in new:
            self._held.add(job)
        asyncio.get_running_loop().call_soon(self._on_claimed, new)  # the next claim goes first
        return jobs

    async def _find_new_queues(self, *, now: bool) -> bool:
        """Look, ``now`` or once in a poll interval, for queues that nobody has named yet."""
        poll = self._lease.unless_looked(self._poll_interval)
        due = now or self._now() - self._queues_seen_at >= poll
        if self._served.queues is not None or not due:
            return False
        self._queues_seen_at = self._now()
        found = {row.value for row in await self.link.execute(self._find_queues)}
        new = found - set(self._queues)
        self._queues += new
        return bool(new)

    async def _release_unknown(self) -> None:
        if self._unsure:
            self._marks.note_news()
        self._unsure = True
        worker_id = self._lease.worker_id
        rows = await self.link.execute(self._owned, {"owner": worker_id})
        unknown = self._not_held(rows)
        self._on_cancel([row.id for row in rows if row.cancelled])
        if unknown:
            released = await self.link.execute(
                self._release,
                {
                    "owner": worker_id,
                    "ids": [row.id for row in unknown],
                    "claim_numbers": [row.claims for row in unknown],
                },
            )
            self._marks.note_news()
            if released:  # the others have ended since the look
                self.events.emit(JobsReleased(len(released)))
        self._unsure = False
        self._compared_at = self._now()

    def _not_held(self, rows: Iterable[Row[Any]]) -> list[Row[Any]]:
        return [row for row in rows if (row.id, row.claims) not in self._held]

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
