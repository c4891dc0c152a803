"""A listener beside the application, and another way to the same server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import URL

from soniq_sa.models.channel import channel_of, woken_queues
from tests.session.app import note
from tests.session.models import Job
from tests.session.variants import Variant

PATIENCE = 10.0
MARKER = "marker"


def libpq(url: URL) -> str:
    """Return ``url`` without a driver."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


class Ears:
    """What was said on the channel of the jobs, in its order, and how many jobs there were then."""

    def __init__(self, variant: Variant) -> None:
        self._variant = variant
        self.heard: list[frozenset[str]] = []
        self.jobs_then: list[int] = []

    def hear(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        self.heard.append(woken_queues(payload))
        self.jobs_then.append(len(self._variant.rows()))

    @property
    def queues(self) -> set[str]:
        """Return every queue that was named, but for that of the markers."""
        return set().union(*self.heard) - {MARKER}

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"heard only {self.heard}"
            await asyncio.sleep(0.005)

    async def until_queues(self, *queues: str) -> None:
        """Wait until all these are named, and nothing else."""
        await self.until(lambda: self.queues >= set(queues))
        assert self.queues == set(queues), self.heard

    async def all_said(self) -> None:
        """Wait until everything is said that was to be said by now.

        One thread speaks for an engine, in order: a marker that is committed now comes last.
        """
        before = sum(MARKER in one for one in self.heard)
        async with self._variant.session() as session:
            session.enqueue(note.options(queue=MARKER), "marker")
            await session.commit()
        await self.until(lambda: sum(MARKER in one for one in self.heard) > before)


@asynccontextmanager
async def listening(variant: Variant) -> AsyncIterator[Ears]:
    """Listen on the channel of the jobs."""
    ears = Ears(variant)
    connection = await asyncpg.connect(libpq(variant.sync_engine.url))
    try:
        await connection.add_listener(channel_of(Job.__table__), ears.hear)
        yield ears
    finally:
        await connection.close()


@asynccontextmanager
async def by_name(url: URL) -> AsyncIterator[URL]:
    """Relay connections to ``localhost`` to the server, which may have a socket only."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = url.query.get("host", url.host)
        port = int(str(url.query.get("port", url.port or 5432)))
        if str(host).startswith("/"):
            inward, outward = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            inward, outward = await asyncio.open_connection(str(host), port)
        await asyncio.gather(_pump(reader, outward), _pump(inward, writer))

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield url.set(host="localhost", port=port, query={})


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
