"""A server for the tests of this folder, and the migrated database of a shop on it."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from soniq_sa.cli.demo.shop import shop_on
from soniq_sa.localserver import LocalServer, local_server


@pytest.fixture(scope="session")
def demo_server() -> Iterator[LocalServer]:
    with local_server(settings={"track_commit_timestamp": "on"}) as server:
        yield server


@pytest.fixture
def shop_database(demo_server: LocalServer, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of a fresh database with the shop's tables."""
    name = f"shop_{secrets.token_hex(4)}"
    url = demo_server.create_database(name)
    with shop_on(url, tmp_path) as shop:
        shop.migrate()
    yield url
    demo_server.drop_database(name)
