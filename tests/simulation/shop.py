"""The application of the simulation: a task for each way to write an end, all with the same handler."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from soniq_sa import AsyncSoniqSession, JobContext, Soniq, inject
from soniq_sa.engines import autocommitting, own_async_engine
from tests.runtime.models import Base
from tests.simulation.driver import Connection, Greeting

Act = Callable[[JobContext, AsyncSession | None], Awaitable[Any]]

PLAIN, SESSION, RESULT, VOLATILE = "plain", "session", "result", "volatile"
TASKS = (PLAIN, SESSION, RESULT, VOLATILE)

TIMEOUT = 10.0
"""Seconds for a run: a session on a half-open connection waits as long."""


async def _greet() -> Connection:
    return Greeting()


class Shop:
    """Tasks and engines, made once for all seeds.

    act: What every handler does. connect: What every engine calls for a new connection.
    """

    def __init__(self) -> None:
        self.act: Act
        self.connect: Callable[[], Awaitable[Connection]] = _greet
        made = create_async_engine("postgresql+asyncpg://virtual/db", async_creator=self._connect)
        self.engine: AsyncEngine = own_async_engine(made)
        self.work_engine = AsyncEngine(autocommitting(own_async_engine(made).sync_engine))
        sessions = async_sessionmaker(self.engine, class_=AsyncSoniqSession)
        self.soniq = Soniq(Base.metadata, sessionmaker=sessions)
        self._lent: weakref.WeakSet[Any] = weakref.WeakSet()
        for engine in (self.engine, self.work_engine):
            event.listen(engine.sync_engine, "checkout", self._note_lent)
        self._register()
        asyncio.run(self._greet_server())

    async def _greet_server(self) -> None:
        """Connect once, so that the first seed's workers do not ask more than others."""
        for engine in (self.engine, self.work_engine):
            async with engine.connect():
                pass

    def close(self) -> None:
        """Close the connections that processes held when they were killed."""
        for lent in list(self._lent):
            if lent.is_valid:
                lent.invalidate()
        self._lent.clear()

    def _note_lent(self, _driver: Any, _record: Any, lent: Any) -> None:
        self._lent.add(lent)

    async def _connect(self, *_: Any, **__: Any) -> Connection:
        return await self.connect()

    def _register(self) -> None:
        async def plain(ctx: JobContext = inject()) -> Any:
            return await self.act(ctx, None)

        async def in_session(ctx: JobContext = inject(), session: AsyncSession = inject()) -> Any:
            return await self.act(ctx, session)

        options: Any = {"retries": 5, "retry_delay": 0.3, "timeout": TIMEOUT}
        for name in (PLAIN, RESULT):
            self.soniq.job(name=name, **options)(plain)
        self.soniq.job(name=VOLATILE, retention=0, **options)(plain)
        self.soniq.job(name=SESSION, **options)(in_session)


SHOP = Shop()
