"""A database with the tables of these tests, and an application on it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from soniq_sa.engines import make_sync_engine
from soniq_sa.localserver import LocalServer
from tests.dead_letters.models import Base
from tests.dead_letters.office import Office


@pytest.fixture(scope="session")
def template(server: LocalServer) -> Iterator[str]:
    """Return the name of a database to copy."""
    name = f"template_{secrets.token_hex(6)}"
    engine = make_sync_engine(server.create_database(name))
    Base.metadata.create_all(engine)
    engine.dispose()
    yield name
    server.drop_database(name)


@pytest.fixture
def url(server: LocalServer, template: str) -> Iterator[str]:
    """Return the URL of a database with the tables."""
    name = f"dead_{secrets.token_hex(6)}"
    yield server.create_database(name, template=template)
    server.drop_database(name)


@pytest.fixture
async def office(url: str) -> AsyncIterator[Office]:
    """Return an application on a database of its own."""
    made = Office(url)
    yield made
    await made.engine.dispose()
