"""A database for the whole folder, emptied for each test, and sessions of every kind on it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, make_url

from soniq_sa.localserver import LocalServer
from tests.session.models import Base
from tests.session.variants import DRIVERS, Variant


@pytest.fixture(scope="session")
def shared_url(server: LocalServer) -> Iterator[URL]:
    """Return the URL of a database with the tables."""
    name = f"session_{secrets.token_hex(6)}"
    yield make_url(server.create_database(name))
    server.drop_database(name)


@pytest.fixture(scope="session")
def observer(shared_url: URL) -> Iterator[Engine]:
    """Return an engine that sees what others commit."""
    engine = create_engine(
        shared_url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def variants(shared_url: URL, observer: Engine) -> Iterator[dict[str, Variant]]:
    """Return one variant for each driver."""
    made = {driver: Variant(driver, shared_url, observer) for driver in DRIVERS}
    yield made
    for variant in made.values():
        variant.sync_engine.dispose()


@pytest.fixture(params=DRIVERS)
def variant(request: Any, variants: dict[str, Variant]) -> Variant:
    """Return each kind of session in turn, on empty tables."""
    variants[request.param].clear()
    return variants[request.param]


@pytest.fixture
def psycopg(variants: dict[str, Variant]) -> Variant:
    """Return sync sessions on psycopg, on empty tables."""
    variants["psycopg"].clear()
    return variants["psycopg"]


@pytest.fixture
def asyncpg(variants: dict[str, Variant]) -> Variant:
    """Return async sessions, on empty tables."""
    variants["asyncpg"].clear()
    return variants["asyncpg"]
