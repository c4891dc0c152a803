"""A database with the tables, and the sessions on it, for the whole folder."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator

import pytest

from soniq_sa.engines import make_sync_engine
from soniq_sa.localserver import LocalServer
from tests.interleavings.arena import Arena
from tests.runtime.models import Base


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """Return an event loop that stands still between the tests."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="session")
def arena(server: LocalServer, runner: asyncio.Runner) -> Iterator[Arena]:
    """Return the sessions of the actors, on a database of their own."""
    name = f"interleavings_{secrets.token_hex(6)}"
    url = server.create_database(name)
    engine = make_sync_engine(url)
    Base.metadata.create_all(engine)
    engine.dispose()
    made = runner.run(_open(url))
    yield made
    runner.run(made.close())
    server.drop_database(name)


async def _open(url: str) -> Arena:
    arena = Arena(url)
    await arena.open()
    return arena
