"""Does in the database what a worker cannot do itself at the moment."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.app import Soniq
from soniq_sa.cli.loading import load_app
from soniq_sa.engines import held_engine
from soniq_sa.link import DatabaseAway, Link, StatementRefused
from soniq_sa.runtime.departure import Departure
from soniq_sa.settings import Settings, load_settings
from soniq_sa.statements.upkeep import extend_lease, remove_worker

_DEADLINE = 3.0
_LAST_WORDS = 0.7
"""Seconds for giving back the jobs of a worker that is to have ended by now."""


class StandIn:
    """A connection to the database of the application, made as a worker makes its own."""

    def __init__(self, *, app: str | None, lease: float, retention: float | None) -> None:
        """Load the application; raise as `load_app`, or whatever its modules raise."""
        settings = load_settings(retention_cancelled=retention)
        soniq = load_app(app)
        self._lease = lease
        self._runner = asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)
        engine = self._runner.run(_engine(soniq, settings))
        self._link = Link(engine, deadline=_DEADLINE)
        self._extend = extend_lease(soniq.models)
        self._remove = remove_worker(soniq.models)
        self._departure = Departure(soniq.models, soniq.tasks.retention(settings.retention))

    def extend(self, worker_id: UUID) -> bool:
        """Renew the lease of a worker, if it still has one; return False if the database is away."""
        with suppress(DatabaseAway, StatementRefused):
            parameters = {"owner": worker_id, "lease": self._lease}
            self._runner.run(self._link.execute(self._extend, parameters))
            return True
        return False

    def give_back(self, worker_id: UUID) -> int:
        """Give the jobs of a worker back, remove its row, and return how many jobs it was."""
        with suppress(DatabaseAway, StatementRefused, TimeoutError):
            return self._runner.run(self._leave(worker_id))
        return 0

    async def _leave(self, worker_id: UUID) -> int:
        async with asyncio.timeout(_LAST_WORDS):
            released = await self._departure.give_back(self._link, worker_id)
            await self._link.execute(self._remove, {"owner": worker_id})
            return released


async def _engine(soniq: Soniq, settings: Settings) -> AsyncEngine:
    """Return an engine for the connection; in a loop, because an application's engines belong to one."""
    url = settings.listen_url
    return held_engine(soniq.databases.engine if url is None else url.get_secret_value())
