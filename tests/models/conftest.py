"""A database for the whole folder, emptied for each test, and engines on it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.engines import make_async_engine, make_sync_engine
from soniq_sa.localserver import LocalServer

EMPTY = """
    DROP SCHEMA IF EXISTS work CASCADE; DROP SCHEMA public CASCADE;
    CREATE SCHEMA public; CREATE SCHEMA work
"""


@pytest.fixture(scope="session")
def shared_engine(server: LocalServer) -> Iterator[Engine]:
    """Return a sync engine on the database of this folder."""
    name = f"models_{secrets.token_hex(6)}"
    engine = make_sync_engine(server.create_database(name))
    yield engine
    engine.dispose()
    server.drop_database(name)


@pytest.fixture
def engine(shared_engine: Engine) -> Engine:
    """Return a sync engine on a database with the empty schemas ``public`` and ``work``."""
    with shared_engine.begin() as connection:
        connection.exec_driver_sql(EMPTY)
    return shared_engine


@pytest.fixture
async def async_engine(engine: Engine) -> AsyncIterator[AsyncEngine]:
    """Return an async engine on the same database."""
    made = make_async_engine(engine.url)
    yield made
    await made.dispose()
