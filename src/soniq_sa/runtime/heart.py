"""The thread's side of a worker's lease: a loop and a connection of its own; see `soniq_sa.runtime.lease`."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.events import DatabaseBack, PartFailed
from soniq_sa.link import (
    LONGEST_PAUSE,
    Backoff,
    DatabaseAway,
    Link,
    StatementCut,
    StatementRefused,
)
from soniq_sa.models.channel import PEER_HINT, channel_of
from soniq_sa.models.roles import Models
from soniq_sa.runtime.beats import Beat, Look
from soniq_sa.runtime.departure import Departure
from soniq_sa.runtime.service import database_lost, wait
from soniq_sa.runtime.trace import trace_of
from soniq_sa.statements.enqueue import notify
from soniq_sa.statements.upkeep import (
    beat,
    limit_waits,
    register_worker,
    remove_worker,
    try_lock,
)

if TYPE_CHECKING:
    from soniq_sa.runtime.lease import Lease

LEAVE_DEADLINE = 3.0
"""Seconds that a worker takes at most to give back what is left, and to have its row removed."""
_GIVE_BACK_DEADLINE = 2.0
"""Seconds of these for giving back."""
_SILENCE = 2.5
"""Seconds without an answer to a beat after which other connections are in doubt."""


class Heart:
    """The thread's side: a loop and a connection of its own."""

    name = "lease"

    def __init__(
        self,
        models: Models,
        make_engine: Callable[[], AsyncEngine],
        lease: Lease,
        loop: asyncio.AbstractEventLoop,
        look_every: float,
    ) -> None:
        self.channel = f"soniq_sa:{uuid4().hex}"
        self._make_engine = make_engine
        self._lease = lease
        self._loop = loop
        self._worker_id = lease.worker_id
        self._period = {"lease": lease.seconds}
        self._every = lease.every
        self._deadline = (lease.seconds - lease.every) / 2
        self._look_every = look_every - lease.every / 2
        self._looked_at = time.monotonic()
        self._beat = beat(models)
        self._looking_beat = beat(models, looking=True)
        self._register = register_worker(models)
        self._greeting = notify(channel_of(models.jobs), PEER_HINT)
        self._remove = remove_worker(models)
        self._lock = try_lock()
        self._limits = limit_waits()
        self._lock_key: int | None = None
        self._registered = False
        self._beats = 0
        self._connection_lost = False
        self._backoff = Backoff(longest=min(LONGEST_PAUSE, lease.every))
        self._away = False
        self._departure: Departure | None = None
        self.released = 0
        self._let_go = False
        self._stopping = threading.Event()
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="soniq-sa-lease", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, departure: Departure) -> None:
        """Have the thread give back what the table still gives to the worker, remove its row, and end."""
        self._departure = departure
        self._stopping.set()
        self._call(self._end)

    def let_go(self) -> None:
        """Renew the lease no more, so that it ends; see `hold`. May be called in any thread."""
        self._let_go = True

    def hold(self) -> None:
        """Renew the lease again, or learn at once that it has ended."""
        self._let_go = False
        self._call(self._wake.set)

    def leave(self, departure: Departure, seconds: float) -> int:
        """Do as `stop`, and wait for the end of the thread, but not for longer; return how many jobs."""
        self.stop(departure)
        self._thread.join(seconds)
        return self.released

    def _call(self, function: Callable[[], None]) -> None:
        """Call ``function`` in the thread's loop, if that runs."""
        if self._own_loop is not None and not self._own_loop.is_closed():
            self._own_loop.call_soon_threadsafe(function)

    def _end(self) -> None:
        self._ending.set()
        self._wake.set()

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        finally:
            self._tell(self._lease.note_end)

    async def _live(self) -> None:
        self._wake, self._ending = asyncio.Event(), asyncio.Event()
        self._own_loop = asyncio.get_running_loop()
        engine = self._make_engine()
        link = Link(engine, deadline=self._deadline)
        try:
            while not self._stopping.is_set():
                self._wake.clear()
                if self._let_go:
                    await wait(self._wake, self._every)
                else:
                    await self._beat_once(link)
            await self._leave(link)
        finally:
            await link.close()
            await engine.dispose()

    async def _beat_once(self, link: Link) -> None:
        """Beat, or try to, and rest: after a beat until the connection is lost, whose lock went with it."""
        try:
            await self._take_lock(link)
            found = await self._renew(link) if self._registered else await self._enter(link)
        except (DatabaseAway, StatementRefused) as error:
            pause = self._backoff.next()
            if not self._away:
                self._tell(self._lease.note_event, database_lost(self.name, error, pause))
            self._away = True
            await wait(self._ending, pause)
        except Exception as error:  # noqa: BLE001 - whatever connecting may raise, the worker lives on
            self._tell(self._lease.note_event, PartFailed(self.name, trace_of(error)))
            await wait(self._ending, self._backoff.next())
        else:
            if self._away:
                self._tell(self._lease.note_event, DatabaseBack(self.name))
            self._away = False
            self._backoff.reset()
            self._tell(self._lease.note_beat, found)
            await wait(self._wake, self._every)

    async def _take_lock(self, link: Link) -> None:
        """Take a lock on a new connection, unless a pooler stands in between.

        When the connection is lost, so is the lock: the thread is woken to make another at once.
        """
        if link.connected and not self._connection_lost:
            return
        await link.drop()
        self._lock_key, self._connection_lost = None, False
        driver = await link.driver()
        driver.add_termination_listener(self._note_connection_lost)
        if link.pooled:
            return
        key = secrets.randbits(63)
        (row,) = await link.execute(self._lock, {"lock": key})
        if row.locked:
            self._lock_key = key
            waits = {"lock_wait": self._deadline / 4, "duration": self._deadline * 0.8}
            await link.execute(self._limits, waits)

    def _note_connection_lost(self, _driver: Any) -> None:
        self._connection_lost = True
        self._wake.set()

    async def _enter(self, link: Link) -> Beat:
        name = f"{socket.gethostname()}:{os.getpid()}"
        who = {"owner": self._worker_id, "worker_name": name, "lock": self._lock_key}
        await link.execute(self._register, who | self._period)
        await link.execute(self._greeting)
        self._registered = True
        return Beat(
            self._worker_id,
            peers=1,
            direct=self._lock_key is not None,
            number=self._beats,
        )

    async def _renew(self, link: Link) -> Beat:
        who: dict[str, Any] = {"owner": self._worker_id, "lock": self._lock_key}
        number = {"channel": self.channel, "beat_number": str(self._beats + 1)}
        patience = min(_SILENCE, self._deadline * 0.9)
        doubt = asyncio.get_running_loop().call_later(
            patience, self._tell, self._lease.note_silence
        )
        try:
            found = await self._send(link, who | self._period | number)
        finally:
            doubt.cancel()
        self._beats += 1
        if found is not None:
            direct = self._lock_key is not None
            peers, _, *looked = found
            look = Look(looked[0], frozenset(looked[1]), *looked[2:]) if looked else None
            return Beat(
                self._worker_id,
                peers=peers,
                direct=direct,
                number=self._beats,
                look=look,
            )
        self._worker_id = uuid4()
        return await self._enter(link)

    async def _send(self, link: Link, parameters: dict[str, Any]) -> Sequence[Any] | None:
        """Beat, with a look if it is time for one and PostgreSQL is through with it soon."""
        now = time.monotonic()
        if self._lock_key is not None and now - self._looked_at >= self._look_every:
            self._looked_at = now
            with suppress(StatementCut):
                return next(iter(await link.execute(self._looking_beat, parameters)), None)
        return next(iter(await link.execute(self._beat, parameters)), None)

    async def _leave(self, link: Link) -> None:
        if not self._registered or self._departure is None:
            return
        with suppress(DatabaseAway, StatementRefused, TimeoutError):
            async with asyncio.timeout(_GIVE_BACK_DEADLINE):
                self.released = await self._departure.give_back(link, self._worker_id)
        with suppress(DatabaseAway, StatementRefused, TimeoutError):
            async with asyncio.timeout(LEAVE_DEADLINE - _GIVE_BACK_DEADLINE):
                await link.execute(self._remove, {"owner": self._worker_id})

    def _tell(self, function: Callable[..., None], *args: Any) -> None:
        """Call ``function`` in the worker's loop, if that still runs."""
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            self._stopping.set()
