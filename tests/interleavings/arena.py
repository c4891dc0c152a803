"""The database of the explorer: a session for each actor, and one that looks on."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.engines import autocommitting, make_async_engine
from soniq_sa.link import Link
from soniq_sa.localserver.databases import libpq_url
from soniq_sa.models.roles import Models
from soniq_sa.statements.upkeep import COMING_BACK
from tests.interleavings.book import Book
from tests.interleavings.ledger import READ, Fact, Tables, Taken
from tests.interleavings.scene import Scene
from tests.interleavings.seat import Seat
from tests.runtime.models import Base

ACTORS = 3
_TIDY_EVERY = 100
"""Orders after which what they left behind is truncated: it makes every index slower."""

_QUIET = """
SET synchronous_commit = off;
SET deadlock_timeout = '50ms';
"""
UNTIL_LEASES_END = f"""
SELECT pg_sleep(
    extract(epoch FROM pg_postmaster_start_time() - clock_timestamp())::float8 + {COMING_BACK + 0.1}
)
"""  # noqa: S608 - it holds a number of our own
"""Waits on a server that has just started, where no lease counts as ended yet."""

_WAITING = "SELECT pid FROM unnest($1::int[]) pid WHERE cardinality(pg_blocking_pids(pid)) > 0"


class Arena:
    """Sessions that stay open from order to order, in one event loop."""

    def __init__(self, url: str) -> None:
        self.models = Models(Base.metadata)
        self.engine = AsyncEngine(autocommitting(make_async_engine(url).sync_engine))
        self.seats: list[Seat] = []
        self.changed = asyncio.Event()
        self._url = url
        self._links: list[Link] = []
        self._observer: Any = None
        self._book = Book(self.models, self.engine)
        self._scripts: dict[str, str] = {}
        self._begun = 0

    async def open(self) -> None:
        """Connect."""
        self._observer = await asyncpg.connect(libpq_url(self._url))
        await self._observer.execute(_QUIET + UNTIL_LEASES_END)
        for number in range(ACTORS):
            link = Link(self.engine)
            driver = await link.driver()
            await driver.execute(_QUIET)
            self._links.append(link)
            pid = driver.get_server_pid()
            self.seats.append(Seat(str(number), driver, pid, on_change=self.changed.set))
        for table in (*self.models.tables, Base.metadata.tables["effects"]):
            await self._observer.execute(f"ALTER TABLE {table.name} SET (autovacuum_enabled = off)")

    async def close(self) -> None:
        """Disconnect."""
        for link in self._links:
            await link.close()
        await self._observer.close()
        await self.engine.dispose()

    def book(self, *mistakes: Any) -> Book:
        """Return the statements, with these mistakes."""
        return Book(self.models, self.engine, mistakes)

    async def begin(self, scene: Scene) -> None:
        """Put the tables into the first state of a scene."""
        if scene.name not in self._scripts:
            self._scripts[scene.name] = scene.script
        if self._begun % _TIDY_EVERY == 0:
            await self._observer.execute(
                "TRUNCATE soniq_jobs, soniq_attempts, soniq_workers, effects"
            )
        self._begun += 1
        await self._observer.execute(self._scripts[scene.name])

    async def read(self) -> Tables:
        """Return what is committed."""
        return Tables.of(await self._observer.fetchrow(READ))

    async def waiting(self, pids: list[int]) -> set[int]:
        """Return which of the sessions wait for a lock."""
        return {row["pid"] for row in await self._observer.fetch(_WAITING, pids)}

    async def rescue_orphans(self) -> list[Fact]:
        """Put back the jobs whose worker is not there, as every worker does once in a lease."""
        text, arguments = self._book.call("orphans", {})
        return [Taken(str(row["id"])) for row in await self._observer.fetch(text, *arguments)]

    async def settle_seats(self) -> None:
        """Have every session without a transaction."""
        for seat in self.seats:
            await seat.clear()
