"""Waking the workers after a commit.

PostgreSQL lets one transaction with a NOTIFY commit at a time, in the whole server: 32 writers that
notify inside their transactions commit at an eighth of the rate. So nothing is notified inside the
application's transaction. After its commit the queues are handed to a thread, one per engine, which
sends a NOTIFY on a connection of its own: at once when it is idle, else at most every 10 ms.

    commit ──▶ wake(queues) ──▶ thread: NOTIFY channel, 'billing,default' ──▶ workers claim

A wake-up is a hint. One that is lost costs at most a worker's poll interval, so errors are dropped.
The thread ends, and its connection is closed, after 30 idle seconds or with ``engine.dispose()``.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import socket
import threading
import time
import weakref
from collections.abc import Iterable
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import Pool

from soniq_sa.engines import autocommitting, own_engine
from soniq_sa.models.channel import wake_payload
from soniq_sa.statements.enqueue import notify

_PAUSE = 0.01
_LINGER = 30.0
_FLUSH_AT_EXIT = 1.0


def wake(engine: Engine, channel: str, queues: Iterable[str]) -> None:
    """Tell the workers of ``channel`` soon, from another thread, that ``queues`` have new jobs."""
    with _registry_lock:
        waker = _wakers.get(engine.pool)
        if waker is None:
            waker = _wakers[engine.pool] = Waker(engine)
            event.listen(engine, "engine_disposed", waker.close)
    waker.wake(channel, queues)


class Waker:
    """Send the wake-ups of one engine from a thread that lives while there is something to send."""

    def __init__(self, engine: Engine) -> None:
        self._twin = autocommitting(own_engine(engine))
        self.reset()

    def reset(self) -> None:
        """Begin with nothing to send and no thread, as in a forked child."""
        self._pending: dict[str, set[str]] = {}
        self._sending = False
        self._closing = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def wake(self, channel: str, queues: Iterable[str]) -> None:
        """Have ``queues`` named on ``channel``."""
        with self._changed:
            self._pending.setdefault(channel, set()).update(queues)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="soniq-sa-wakeup", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def close(self, _engine: Engine) -> None:
        """Send what is left and end the thread; wait for that, up to a second."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(_FLUSH_AT_EXIT)

    def flush(self, timeout: float) -> None:
        """Wait until everything is sent, up to ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pending and not self._sending, timeout)

    def _run(self) -> None:
        sender = _AsyncSender(self._twin) if self._twin.dialect.is_async else _Sender(self._twin)
        while pending := self._take():
            sender.send({channel: wake_payload(queues) for channel, queues in pending.items()})
            self._note_sent()
            if not self._closing:
                time.sleep(_PAUSE)
        sender.close()

    def _take(self) -> dict[str, set[str]]:
        """Wait for something to send; return nothing, to end the thread, after the linger time."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closing, _LINGER)
            if not self._pending:
                self._thread, self._closing = None, False
            pending, self._pending = self._pending, {}
            self._sending = bool(pending)
            return pending

    def _note_sent(self) -> None:
        with self._changed:
            self._sending = False
            self._changed.notify_all()


class _Sender:
    """Send on a connection that is kept, through a synchronous driver."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def send(self, messages: dict[str, str]) -> None:
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            for channel, payload in messages.items():
                self._connection.execute(notify(channel, payload))
        except Exception:  # noqa: BLE001 - a thread's border, and a wake-up is a hint
            self.close()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()
        self._engine.dispose()


class _Loop(asyncio.SelectorEventLoop):
    """Look names up in this thread: at the end of a program no other can be asked any more."""

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        return socket.getaddrinfo(*args, **kwargs)


class _AsyncSender:
    """Send on a connection that is kept, through an asynchronous driver and a loop of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = AsyncEngine(engine)
        self._connection: AsyncConnection | None = None
        self._asyncpg: Any = None
        self._loop = _Loop()

    def send(self, messages: dict[str, str]) -> None:
        self._loop.run_until_complete(self._send(messages))

    async def _send(self, messages: dict[str, str]) -> None:
        try:
            async with asyncio.timeout(_LINGER):
                if self._connection is None:
                    self._connection = await self._engine.connect()
                    self._asyncpg = await self._prepare(self._connection)
                for channel, payload in messages.items():
                    if self._asyncpg is not None:
                        await self._asyncpg.fetch(channel, payload)
                    else:
                        await self._connection.execute(notify(channel, payload))
        except Exception:  # noqa: BLE001 - a thread's border, and a wake-up is a hint
            await self._drop()

    async def _prepare(self, connection: AsyncConnection) -> Any:
        """Return asyncpg's own statement, where that is the driver: it takes half the time.

        It has no name, and is sent anew with each of its values: a pooler may stand in between.
        """
        if self._engine.driver != "asyncpg":
            return None
        raw: Any = (await connection.get_raw_connection()).driver_connection
        return await raw.prepare("SELECT pg_notify($1, $2)", name="")

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()
        await self._engine.dispose()

    def close(self) -> None:
        self._loop.run_until_complete(self._drop())
        self._loop.close()


_registry_lock = threading.Lock()
_wakers: weakref.WeakKeyDictionary[Pool, Waker] = weakref.WeakKeyDictionary()


def _forget_after_fork() -> None:
    """Start anew in a forked child: threads and connections stay with the parent."""
    global _registry_lock  # noqa: PLW0603 - the parent may have held it
    _registry_lock = threading.Lock()
    for waker in list(_wakers.values()):
        waker.reset()


def _flush_at_exit() -> None:
    for waker in list(_wakers.values()):
        waker.flush(_FLUSH_AT_EXIT)


os.register_at_fork(after_in_child=_forget_after_fork)
atexit.register(_flush_at_exit)
