"""What any worker does for all: queue jobs that are due, and take over from workers that died."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.events import JobDied, JobsRescued
from soniq_sa.models.channel import (
    DUE_HINT,
    SUSPECT_HINT,
    channel_of,
    ends_channel_of,
    ends_payloads,
    wake_payload,
)
from soniq_sa.models.roles import Models
from soniq_sa.retention import Retention
from soniq_sa.runtime.lease import Lease
from soniq_sa.runtime.service import Service
from soniq_sa.statements.enqueue import notify
from soniq_sa.statements.upkeep import (
    COMING_BACK,
    next_due,
    promote_due,
    rescue_jobs,
    rescue_orphans,
    silent_workers,
)
from soniq_sa.states import JobState, Reason
from soniq_sa.subscribers import Events

_PROMOTE_AT_ONCE = 1000
_SHORTEST_PAUSE = 0.001
_LOCKED_PAUSE = 0.25
"""Seconds until the next try, if somebody has locked what is due."""
_SECOND_LOOK = 0.5
"""Seconds between the two looks that must both miss a worker's lock."""

OnQueued = Callable[[frozenset[str]], bool]
"""Is told of queues with new jobs; tells whether all of them are served here."""


class DueWatch(Service):
    """Queue the scheduled jobs whose time has come; sleep until exactly the next one."""

    name = "due watch"

    def __init__(
        self,
        events: Events,
        engine: AsyncEngine,
        models: Models,
        lease: Lease,
        *,
        poll_interval: float,
        on_queued: OnQueued,
    ) -> None:
        super().__init__(events, engine)
        self._channel = channel_of(models.jobs)
        self._lease = lease
        self._promote = promote_due(models)
        self._next_due = next_due(models)
        self._poll_interval = poll_interval
        self._on_queued = on_queued
        self._next_at = math.inf
        self._looked_at = -math.inf
        self._unsure = False

    def note_wakeup(self, queues: frozenset[str]) -> None:
        """Look when the next job is due, if a wake-up may speak of one."""
        if not queues or DUE_HINT in queues:
            self._look_again()

    def note_delay(self, delay: float) -> None:
        """Look again when a job that was put off for ``delay`` seconds is due."""
        asyncio.get_running_loop().call_later(delay, self._look_again)

    def note_look(self, left: float | None) -> None:
        """Learn in how many seconds the next job is due, if that is sooner than what is known."""
        now = self._now()
        self._looked_at = max(self._looked_at, now)
        if left is not None and now + left < self._next_at:
            self._next_at = now + left
            self.wake()

    async def run_once(self) -> float | None:
        """Queue what is due."""
        poll = self._lease.unless_looked(self._poll_interval)
        if self._now() - self._looked_at >= poll:
            await self.seconds_to_next()
        if self._unsure or self._next_at <= self._now():
            queued = await self._queue_due()
            await self.seconds_to_next()
            if not queued and self._next_at <= self._now():
                return _LOCKED_PAUSE
        return max(min(self._next_at, self._looked_at + poll) - self._now(), _SHORTEST_PAUSE)

    async def seconds_to_next(self) -> float | None:
        """Return the seconds until the next scheduled job is due; None if there is none."""
        ((left,),) = await self.link.execute(self._next_due)
        self._looked_at = self._now()
        self._next_at = math.inf if left is None else self._looked_at + left
        return None if left is None else float(left)

    def _look_again(self) -> None:
        self._looked_at = -math.inf
        self.wake()

    async def _queue_due(self) -> bool:
        """Queue what is due, and say so; in any queue, if an answer was lost that named them.

        Tell whether there was anything that nobody else had locked.
        """
        unsure, self._unsure = self._unsure, True
        rows = await self.link.execute(self._promote, {"limit": _PROMOTE_AT_ONCE})
        queues = frozenset() if unsure else frozenset(row.queue for row in rows)
        if rows or unsure:
            here = self._on_queued(queues)
            if not here or unsure or len(rows) > 1:
                await self.link.execute(notify(self._channel, wake_payload(queues)))
        self._unsure = False
        return bool(rows)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


class Rescuer(Service):
    """Put the jobs of dead workers back: those without a lock at once, others when the lease ends."""

    name = "rescuer"

    def __init__(
        self,
        events: Events,
        engine: AsyncEngine,
        models: Models,
        lease: Lease,
        *,
        retention: Retention,
        interval: float,
        on_queued: OnQueued,
    ) -> None:
        super().__init__(events, engine)
        self._channel = channel_of(models.jobs)
        self._ends_channel = ends_channel_of(models.jobs)
        self._lease = lease
        self._interval = interval
        self._on_queued = on_queued
        self._silent = silent_workers(models)
        self._rescue = rescue_jobs(models, retention)
        self._rescue_orphans = rescue_orphans(models, retention)
        self._suspects: dict[UUID, int] = {}
        self._orphans_seen_at = float("-inf")
        self._patient_until = float("-inf")
        self._unsure = False

    def note_look(self, *, orphans: bool) -> None:
        """Learn whether jobs run for a worker that is not there."""
        self._orphans_seen_at = float("-inf") if orphans else self._now()
        if orphans:
            self.wake()

    async def run_once(self) -> float | None:
        """Look for dead workers; a lock must be missed twice, for a worker may be reconnecting.

        If this one has lost the database itself, the others may have as well: it is patient at first.
        """
        if self._lost:
            self._patient_until = self._now() + COMING_BACK
            self._suspects = {}
        if self._unsure:
            await self._announce_any()
        if self._lease.peers and self._now() >= self._patient_until:
            await self._look_for_silence()
        await self._look_for_orphans()
        if self._suspects:
            return min(_SECOND_LOOK, self._interval)
        return self._interval if self._lease.peers else self._lease.every

    async def _look_for_silence(self) -> None:
        silent = await self.link.execute(self._silent, {"owner": self._lease.worker_id})
        unlocked = {row.id: row.lock_key for row in silent if not row.expired}
        dead = {one: key for one, key in unlocked.items() if self._suspects.get(one) == key}
        self._suspects = {one: key for one, key in unlocked.items() if one not in dead}
        if dead or len(silent) > len(unlocked):
            await self._take_over(dead)

    async def _take_over(self, dead: Mapping[UUID, int]) -> None:
        self._unsure = True
        rows = await self.link.execute(
            self._rescue,
            {
                "owner": self._lease.worker_id,
                "dead_ids": list(dead),
                "dead_keys": list(dead.values()),
            },
        )
        await self._announce(rows)
        self._unsure = False

    async def _look_for_orphans(self) -> None:
        due_after = self._lease.unless_looked(self._lease.seconds)
        if self._now() - self._orphans_seen_at >= due_after:
            self._unsure = True
            await self._announce(await self.link.execute(self._rescue_orphans))
            self._unsure = False
            self._orphans_seen_at = self._now()

    async def _announce_any(self) -> None:
        """Say that jobs may be back in any queue: the answer that named them was lost."""
        said = frozenset({SUSPECT_HINT})
        self._on_queued(said)
        await self.link.execute(notify(self._channel, wake_payload(said)))
        self._unsure = False

    async def _announce(self, rows: Sequence[Row[Any]]) -> None:
        if not rows:
            return
        queued = [row.queue for row in rows if row.state == JobState.QUEUED]
        self.events.emit(JobsRescued(len(queued), len(rows) - len(queued)))
        for row in rows:
            if row.state == JobState.DEAD:
                self.events.emit(JobDied(row.id, row.task, Reason.CRASHED_WORKER))
        for payload in ends_payloads([row.id for row in rows if row.state != JobState.QUEUED]):
            await self.link.execute(notify(self._ends_channel, payload))
        if queued:
            told = {*queued, SUSPECT_HINT}
            self._on_queued(frozenset(told))
            await self.link.execute(notify(self._channel, wake_payload(told)))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
