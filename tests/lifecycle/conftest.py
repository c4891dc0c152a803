"""A database with the tables, and a stage on it, for the whole folder."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator

import pytest

from soniq_sa.engines import make_sync_engine
from soniq_sa.localserver import LocalServer
from tests.interleavings.arena import UNTIL_LEASES_END
from tests.runtime.models import Base


@pytest.fixture(scope="module")
def url(server: LocalServer) -> Iterator[str]:
    """Return the URL of a database with the tables."""
    name = f"lifecycle_{secrets.token_hex(6)}"
    url = server.create_database(name)
    engine = make_sync_engine(url)
    Base.metadata.create_all(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql(UNTIL_LEASES_END)
    engine.dispose()
    yield url
    server.drop_database(name)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """Return an event loop that stands still between the steps of a machine."""
    with asyncio.Runner() as made:
        yield made
