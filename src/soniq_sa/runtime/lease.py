"""The sign of life of a worker, from a thread of its own.

A worker's row in the worker table carries ``expires_at``, renewed by each beat. The beat has its own
thread, event loop and connection, so that a handler that blocks the worker's loop does not make the
worker look dead. Job rows are never touched: a handler at REPEATABLE READ would fail at its commit.

The connection also holds a session advisory lock, named in ``lock_key``. PostgreSQL lets go of it the
moment the process dies, and the other workers see that within about a second, long before the lease
ends. A new connection takes a new lock. Behind a pooler, which lends one connection to many clients,
there is no lock: ``pg_backend_pid()`` is then not what the connection said at its start.

If a beat finds no row, the others took this worker for dead and have its jobs: it drops them, and
goes on under a new id.

    thread  register ──▶ beat ──▶ beat ──▶ … ──▶ remove the row
    loop        └▶ ready     └▶ confirmed, peers      └▶ or: lost, new id

A beat also looks at what there is to do, once in a poll interval, so that an idle worker sends nothing
else. PostgreSQL ends it where that takes long, behind a lock on the job table perhaps, and the next
beat is sent at once, without the look. Nobody looks behind a pooler, where the session cannot be told to.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.events import DatabaseBack, DatabaseLost, Event
from soniq_sa.link import Backoff, DatabaseAway, Link, StatementCut, StatementRefused
from soniq_sa.models.channel import PEER_HINT, channel_of
from soniq_sa.models.roles import Models
from soniq_sa.runtime.service import wait
from soniq_sa.statements.enqueue import notify
from soniq_sa.statements.upkeep import (
    beat,
    limit_waits,
    register_worker,
    remove_worker,
    try_lock,
)
from soniq_sa.subscribers import Events

_LEAVE_DEADLINE = 3.0
_LATE = 1.0
"""Seconds by which a look may come late."""


@dataclass(frozen=True, slots=True)
class Look:
    """What there was to do when a beat looked; see `soniq_sa.statements.look`."""

    left: float | None
    queues: frozenset[str]
    suspects: bool
    owned: bool
    orphans: bool
    prunable: bool


@dataclass(frozen=True, slots=True)
class Beat:
    """What one beat found out; ``look`` is None if it did not look."""

    worker_id: UUID
    alive: bool
    peers: int
    direct: bool
    number: int
    look: Look | None = None


class Lease:
    """The worker's side: who it is, and what the thread last found out."""

    def __init__(
        self,
        events: Events,
        models: Models,
        make_engine: Callable[[], AsyncEngine],
        *,
        seconds: float,
        every: float,
        look_every: float,
        on_lost: Callable[[], None],
        on_look: Callable[[Look], None],
    ) -> None:
        """Prepare; must be made in the worker's loop.

        make_engine: Called in the thread, since connections belong to one loop.
        seconds, every: The length of the lease, and the time between two beats.
        look_every: The time between two looks; at least once in a lease.
        on_lost, on_look: Called in the worker's loop, when `worker_id` is new, and after each look.
        """
        self.worker_id = uuid4()
        self.every = every
        self.seconds = seconds
        self.peers = 0
        self.direct = False
        self.beats = 0
        self._events = events
        self._on_lost = on_lost
        self._on_look = on_look
        self._look_every = max(every, min(look_every, seconds))
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._ended = asyncio.Event()
        self._looked_at = self._loop.time()
        self._heart = Heart(models, make_engine, self, self._loop, self._look_every)

    @property
    def channel(self) -> str:
        """Return the channel on which the beats of this worker are said."""
        return self._heart.channel

    @property
    def looks(self) -> bool:
        """Tell whether looks come: whoever waits for one need not ask."""
        patience = self._look_every + self.every + _LATE
        return self.direct and self._loop.time() - self._looked_at < patience

    def unless_looked(self, interval: float) -> float:
        """Return after how long a part asks by itself that has to know every ``interval`` seconds."""
        return interval + _LATE if self.looks and interval >= self._look_every else interval

    async def start(self) -> None:
        """Start the thread, and wait until the worker is registered."""
        self._heart.start()
        await self._ready.wait()

    async def stop(self) -> None:
        """Have the worker's row removed, and the thread end; give up after three seconds."""
        self._heart.stop()
        await wait(self._ended, _LEAVE_DEADLINE)

    def note_beat(self, found: Beat) -> None:
        """Take over what a beat found out."""
        self.peers, self.direct = found.peers, found.direct
        self.beats = found.number
        if not found.alive:
            self.worker_id = found.worker_id
            self._on_lost()
        self._ready.set()
        if found.look is not None:
            self._looked_at = self._loop.time()
            self._on_look(found.look)

    def note_peer(self) -> None:
        """Take over that another worker has just started, before the next beat counts it."""
        self.peers = max(1, self.peers)

    def note_event(self, event: Event) -> None:
        """Hand an event of the thread on."""
        self._events.emit(event)

    def note_end(self) -> None:
        """Note that the thread has ended."""
        self._ended.set()


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
        self._backoff = Backoff(longest=min(2.0, lease.every))
        self._away = False
        self._stopping = threading.Event()
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="soniq-sa-lease", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Have the thread remove the row and end."""
        self._stopping.set()
        if self._own_loop is not None and not self._own_loop.is_closed():
            self._own_loop.call_soon_threadsafe(self._wake.set)

    def _run(self) -> None:
        asyncio.run(self._live())
        self._tell(self._lease.note_end)

    async def _live(self) -> None:
        self._wake = asyncio.Event()
        self._own_loop = asyncio.get_running_loop()
        engine = self._make_engine()
        link = Link(engine, deadline=self._deadline)
        while True:
            self._wake.clear()
            if self._stopping.is_set():
                break
            await wait(self._wake, await self._beat_once(link))
        await self._leave(link)
        await link.close()
        await engine.dispose()

    async def _beat_once(self, link: Link) -> float:
        """Beat, or try to; return the seconds until the next time."""
        try:
            await self._take_lock(link)
            found = await self._renew(link) if self._registered else await self._enter(link)
        except (DatabaseAway, StatementRefused) as error:
            pause = self._backoff.next()
            if not self._away:
                self._tell(self._lease.note_event, DatabaseLost(self.name, str(error), pause))
            self._away = True
            return pause
        if self._away:
            self._tell(self._lease.note_event, DatabaseBack(self.name))
        self._away = False
        self._backoff.reset()
        self._tell(self._lease.note_beat, found)
        return self._every

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
        key = secrets.randbits(63)
        (row,) = await link.execute(self._lock, {"lock": key})
        if row.locked and row.pid == driver.get_server_pid():
            self._lock_key = key
            waits = {"lock_wait": self._deadline / 4, "duration": self._deadline * 0.8}
            await link.execute(self._limits, waits)

    def _note_connection_lost(self, _driver: Any) -> None:
        self._connection_lost = True
        self._wake.set()

    async def _enter(self, link: Link, *, alive: bool = True) -> Beat:
        name = f"{socket.gethostname()}:{os.getpid()}"
        who = {"owner": self._worker_id, "worker_name": name, "lock": self._lock_key}
        await link.execute(self._register, who | self._period)
        await link.execute(self._greeting)
        self._registered = True
        return Beat(
            self._worker_id,
            alive=alive,
            peers=1,
            direct=self._lock_key is not None,
            number=self._beats,
        )

    async def _renew(self, link: Link) -> Beat:
        who: dict[str, Any] = {"owner": self._worker_id, "lock": self._lock_key}
        number = {"channel": self.channel, "beat_number": str(self._beats + 1)}
        found = await self._send(link, who | self._period | number)
        self._beats += 1
        if found is not None:
            direct = self._lock_key is not None
            peers, _, *looked = found
            look = Look(looked[0], frozenset(looked[1]), *looked[2:]) if looked else None
            return Beat(
                self._worker_id,
                alive=True,
                peers=peers,
                direct=direct,
                number=self._beats,
                look=look,
            )
        self._worker_id = uuid4()
        return await self._enter(link, alive=False)

    async def _send(self, link: Link, parameters: dict[str, Any]) -> Sequence[Any] | None:
        """Beat, with a look if it is time for one and PostgreSQL is through with it soon."""
        now = time.monotonic()
        if self._lock_key is not None and now - self._looked_at >= self._look_every:
            self._looked_at = now
            with suppress(StatementCut):
                return next(iter(await link.execute(self._looking_beat, parameters)), None)
        return next(iter(await link.execute(self._beat, parameters)), None)

    async def _leave(self, link: Link) -> None:
        if not self._registered:
            return
        try:
            async with asyncio.timeout(_LEAVE_DEADLINE):
                await link.execute(self._remove, {"owner": self._worker_id})
        except (DatabaseAway, StatementRefused, TimeoutError):
            pass

    def _tell(self, function: Callable[..., None], *args: Any) -> None:
        """Call ``function`` in the worker's loop, if that still runs."""
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            self._stopping.set()
