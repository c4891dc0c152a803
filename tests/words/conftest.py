"""A database with the tables, for arguments that go through it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from soniq_sa.engines import make_sync_engine
from soniq_sa.localserver import LocalServer
from tests.words.app import Base


@pytest.fixture(scope="session")
def engine(server: LocalServer) -> Iterator[Engine]:
    """Return an engine on a database with the tables."""
    name = f"words_{secrets.token_hex(6)}"
    engine = make_sync_engine(server.create_database(name))
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()
    server.drop_database(name)
