"""Waiting for jobs to end, without looking all the time.

Workers say nothing about ends unless somebody asks. Who waits listens on the channel of the ends, and
asks the workers, on the channel of the jobs, to say for a minute which jobs end:

    LISTEN ends ──▶ NOTIFY jobs, '?' ──▶ look once ──▶ woken by NOTIFY ends, 'id,id' ──▶ look

What is said is a hint. Each wait also looks at the rows by itself, soon at first and then every few
seconds, so it is correct without any notification. Through a pooler nothing can listen; there it looks
more often.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.link import Backoff, DatabaseAway, Link
from soniq_sa.models.channel import (
    AWAITED_HINT,
    channel_of,
    ended_ids,
    ends_channel_of,
)
from soniq_sa.models.roles import Models
from soniq_sa.statements.browse import read_ends
from soniq_sa.statements.enqueue import notify

_FIRST_LOOK = 0.05
_LAST_LOOK = 5.0
_LAST_LOOK_POOLED = 1.0
_ASK_EVERY = 30.0
"""Seconds; half of what a worker goes on for, so that one that is lost does not matter."""
_LINGER = 10.0
"""Seconds for which the connection is kept when nobody waits."""
_LISTEN_DEADLINE = 5.0
_MISSED_FOR = 5.0
"""Seconds after which a job that was never there counts as gone."""


class Waiter:
    """Wait for jobs on behalf of everybody in one event loop, with one connection."""

    def __init__(self, engine: AsyncEngine, models: Models) -> None:
        """Prepare; ``engine`` makes connections that belong to nobody else, in autocommit mode."""
        self._link = Link(engine)
        self._engine = engine
        self._jobs_channel = channel_of(models.jobs)
        self._ends_channel = ends_channel_of(models.jobs)
        self._read = read_ends(models)
        self._pending: defaultdict[UUID, set[asyncio.Future[None]]] = defaultdict(set)
        self._seen: AbstractSet[UUID] = set()
        self._named: set[UUID] = set()
        self._missed: dict[UUID, float] = {}
        self._news = asyncio.Event()
        self._driver: Any = None
        self._asked_at = float("-inf")
        self._pause = _FIRST_LOOK
        self._task: asyncio.Task[None] | None = None

    async def until_ended(self, job_id: UUID) -> None:
        """Return when the job has ended, or is gone; wait for ever if neither happens.

        A job is gone if it was there before, or is said to have ended, and is not there. One that was
        never there may not be committed yet, or was deleted at its end, whose retention is 0: it counts
        as gone after some seconds.
        """
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        self._pending[job_id].add(ended)
        self._pause = _FIRST_LOOK
        self._news.set()
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        try:
            await ended
        finally:
            self._pending[job_id].discard(ended)
            if not self._pending[job_id]:
                del self._pending[job_id]

    async def _run(self) -> None:
        backoff = Backoff()
        try:
            while await self._somebody_waits():
                try:
                    await self._look()
                except DatabaseAway:
                    self._driver = None
                    await asyncio.sleep(backoff.next())
                else:
                    backoff = Backoff()
                    await self._until_news()
        finally:
            self._driver = None
            with suppress(DatabaseAway):
                await self._link.close()
            await self._engine.dispose()

    async def _somebody_waits(self) -> bool:
        """Return at once if somebody waits; else give it some time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while not self._pending:
                    self._news.clear()
                    await self._news.wait()
        return bool(self._pending)

    async def _until_news(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause):
                await self._news.wait()
        last = _LAST_LOOK_POOLED if self._link.pooled else _LAST_LOOK
        self._pause = min(2 * self._pause, last)

    async def _look(self) -> None:
        if self._driver is None or self._driver.is_closed():
            await self._listen()
        now = asyncio.get_running_loop().time()
        if now - self._asked_at >= _ASK_EVERY and not self._link.pooled:
            await self._link.execute(notify(self._jobs_channel, AWAITED_HINT))
            self._asked_at = now
        self._news.clear()
        asked, named = list(self._pending), self._named
        self._named = set()
        rows = await self._link.execute(self._read, {"ids": asked})
        present = {row.id: row.ended for row in rows}
        self._missed = {one: self._missed.get(one, now) for one in asked if one not in present}
        late = {one for one, since in self._missed.items() if now - since >= _MISSED_FOR}
        gone = (self._seen | named | late) - present.keys()
        for job_id in asked:
            if present.get(job_id, job_id in gone):
                self._tell(job_id)
        self._seen = present.keys() & self._pending.keys()

    async def _listen(self) -> None:
        driver = await self._link.driver()
        if self._link.pooled:
            return
        try:
            async with asyncio.timeout(_LISTEN_DEADLINE):
                await driver.add_listener(self._ends_channel, self._on_message)
        except Exception as error:  # asyncpg's own errors are imported by nobody here
            await self._link.drop()
            raise DatabaseAway(str(error)) from error
        self._driver = driver
        self._asked_at = float("-inf")

    def _on_message(self, _driver: Any, _pid: int, _channel: str, payload: str) -> None:
        named = ended_ids(payload)
        ours = self._pending.keys() & named
        if ours or not named:
            self._named |= ours
            self._news.set()

    def _tell(self, job_id: UUID) -> None:
        for ended in self._pending.get(job_id, set()):
            if not ended.done():
                ended.set_result(None)
