"""A database with the shop's tables, and a yard for worker processes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from soniq_sa.engines import make_sync_engine
from soniq_sa.localserver import LocalServer
from tests.process.shop import Base
from tests.process.yard import Yard


@pytest.fixture
def shop_url(server: LocalServer) -> Iterator[str]:
    """Return the URL of a database with the shop's tables."""
    name = f"process_{secrets.token_hex(6)}"
    url = server.create_database(name)
    engine = make_sync_engine(url)
    Base.metadata.create_all(engine)
    engine.dispose()
    yield url
    server.drop_database(name)


@pytest.fixture
def yard(shop_url: str, tmp_path: Path) -> Iterator[Yard]:
    """Return a yard; its processes are ended at the end, whatever happened."""
    made = Yard(shop_url, tmp_path)
    try:
        yield made
    finally:
        made.close()
