"""The sign of life of a worker, from a thread of its own.

A worker's row in the worker table carries ``expires_at``, renewed by each beat. The beat has its own
thread, event loop and connection, so that a handler that blocks the worker's loop does not make the
worker look dead. Job rows are never touched: a handler at REPEATABLE READ would fail at its commit.

The connection also holds a session advisory lock, named in ``lock_key``. PostgreSQL lets go of it the
moment the process dies, and the other workers see that within about a second, long before the lease
ends. A new connection takes a new lock. Behind a pooler, which lends one connection to many clients,
there is no lock.

If a beat finds no row, the others took this worker for dead and have its jobs: it drops them, and
goes on under a new id.

    thread  register ──▶ beat ──▶ beat ──▶ … ──▶ remove the row
    loop        └▶ ready     └▶ confirmed, peers      └▶ or: lost, new id

A beat that is not answered for some time may have met a half-open connection. Then the others of this
worker may be half-open too, as after a failover or a lost route, so those that wake-ups and claims need
are made anew (``on_silence``), while the beat still has until its deadline.

A beat also looks at what there is to do, once in a poll interval, so that an idle worker sends nothing
else. PostgreSQL ends it where that takes long, behind a lock on the job table perhaps, and the next
beat is sent at once, without the look. Nobody looks behind a pooler, where the session cannot be told to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.events import Event
from soniq_sa.models.roles import Models
from soniq_sa.runtime.beats import Beat, Look
from soniq_sa.runtime.departure import Departure
from soniq_sa.runtime.heart import LEAVE_DEADLINE, Heart
from soniq_sa.runtime.service import wait
from soniq_sa.subscribers import Events

_LATE = 1.0
"""Seconds by which a look may come late."""


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
        on_silence: Callable[[], None],
    ) -> None:
        """Prepare; must be made in the worker's loop.

        make_engine: Called in the thread, since connections belong to one loop.
        seconds, every: The length of the lease, and the time between two beats.
        look_every: The time between two looks; at least once in a lease.
        on_lost, on_look, on_silence: Called in the worker's loop: when `worker_id` is new, after each
            look, and when a beat is not answered.
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
        self._on_silence = on_silence
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

    async def stop(self, departure: Departure) -> None:
        """Have what the table still gives to the worker given back, its row removed, and the thread end.

        Gives up after three seconds.
        """
        self._heart.stop(departure)
        await wait(self._ended, LEAVE_DEADLINE)

    @property
    def released(self) -> int:
        """Return how many jobs were given back at the end."""
        return self._heart.released

    def let_go(self) -> None:
        """Let the lease end, so that others take the jobs, until `hold`; may be called in any thread."""
        self._heart.let_go()

    def hold(self) -> None:
        """Renew the lease again; if it has ended, the worker goes on under a new id."""
        self._heart.hold()

    def leave(self, departure: Departure, seconds: float) -> int:
        """Do as `stop` in another thread than the loop's, and wait for so long; return how many jobs."""
        return self._heart.leave(departure, seconds)

    def note_beat(self, found: Beat) -> None:
        """Take over what a beat found out."""
        self.peers, self.direct = found.peers, found.direct
        self.beats = found.number
        if found.worker_id != self.worker_id:
            self.worker_id = found.worker_id
            self._on_lost()
        self._ready.set()
        if found.look is not None:
            self._looked_at = self._loop.time()
            self._on_look(found.look)

    def note_peer(self) -> None:
        """Take over that another worker has just started, before the next beat counts it."""
        self.peers = max(1, self.peers)

    def note_silence(self) -> None:
        """Take over that a beat is not answered."""
        self._on_silence()

    def note_event(self, event: Event) -> None:
        """Hand an event of the thread on."""
        self._events.emit(event)

    def note_end(self) -> None:
        """Note that the thread has ended."""
        self._ended.set()
