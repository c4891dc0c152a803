"""Hears the wake-ups: an asyncpg connection that listens.

Two channels: that of the job table, and the worker's own, on which each beat of the lease says its
number. A beat that is confirmed and not heard means that the connection is half-open, so it is made
anew. After every new LISTEN the worker looks for jobs: what was said meanwhile is lost.

A connection that is closed wakes the listener at once. One that is half-open is noticed, by default,

    5 s (until the next beat) + 1 s (until the next look) + 2 s (the deadline) = 8 s

after it has become so. If the lease's own connection is half-open as well, no beat is confirmed: a beat
that is not answered for some time casts doubt on this connection too, and it is made anew.

A pooler would let some other connection listen, so nobody does: the parts look by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.engines import shown_url
from soniq_sa.events import WakeupsUnheard
from soniq_sa.link import DatabaseAway
from soniq_sa.models.channel import woken_queues
from soniq_sa.runtime.lease import Lease
from soniq_sa.runtime.service import Service
from soniq_sa.subscribers import Events

_LOOK_EVERY = 1.0
"""Seconds between two looks whether all beats were heard."""
_HEARING_DEADLINE = 2.0
"""Seconds after which a confirmed beat must have been heard."""
_LISTEN_DEADLINE = 5.0
_POOLER_PAUSE = 60.0
"""Seconds until another look whether a pooler is still in between."""


class Listener(Service):
    """Keep listening, and hand each wake-up on."""

    name = "listener"

    def __init__(
        self,
        events: Events,
        engine: AsyncEngine,
        channel: str,
        lease: Lease,
        on_wakeup: Callable[[frozenset[str]], None],
    ) -> None:
        super().__init__(events, engine)
        self._channel = channel
        self._lease = lease
        self._on_wakeup = on_wakeup
        self._driver: Any = None
        self._heard = 0
        self._unheard_since: float | None = None
        self._database = shown_url(engine)
        self._told = False

    async def run_once(self) -> float | None:
        """Listen if nothing listens; look whether the last beat was heard."""
        if self._driver is not None and (self._driver.is_closed() or self._is_deaf()):
            self._driver = None
            await self.link.drop()
        if self._driver is None and not await self._listen():
            await self.link.close()
            return _POOLER_PAUSE
        return self._until_look()

    def doubt(self) -> None:
        """Listen on a new connection: a beat is not answered, and this one may be half-open as well."""
        super().doubt()
        self._driver = None
        self.wake()

    async def _listen(self) -> bool:
        """Listen; return whether that is possible."""
        driver = await self.link.driver()
        if self.link.pooled:
            if not self._told:
                self.events.emit(WakeupsUnheard(self._database))
            self._told = True
            return False
        try:
            async with asyncio.timeout(_LISTEN_DEADLINE):
                await driver.add_listener(self._channel, self._on_message)
                await driver.add_listener(self._lease.channel, self._on_beat)
        except Exception as error:  # asyncpg's own errors are imported by nobody here
            await self.link.drop()
            raise DatabaseAway(str(error)) from error
        driver.add_termination_listener(self._on_lost)
        self._driver = driver
        self._heard = self._lease.beats
        self._unheard_since = None
        self._on_wakeup(frozenset())
        return True

    def _is_deaf(self) -> bool:
        now = asyncio.get_running_loop().time()
        if self._heard >= self._lease.beats:
            self._unheard_since = None
        elif self._unheard_since is None:
            self._unheard_since = now
        return self._unheard_since is not None and now - self._unheard_since >= _HEARING_DEADLINE

    def _until_look(self) -> float:
        if self._unheard_since is None:
            return _LOOK_EVERY
        passed = asyncio.get_running_loop().time() - self._unheard_since
        return max(_HEARING_DEADLINE - passed, 0.001)

    def _on_message(self, _driver: Any, _pid: int, _channel: str, payload: str) -> None:
        self._on_wakeup(woken_queues(payload))

    def _on_beat(self, _driver: Any, _pid: int, _channel: str, number: str) -> None:
        self._heard = int(number)

    def _on_lost(self, _driver: Any) -> None:
        self.wake()
