"""A database with the shop's tables, and a yard for worker processes; also on a server of their own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from soniq_sa.localserver import LocalServer
from tests.process.private_server import PrivateServer, private_server_with
from tests.process.yard import Yard, make_tables, yard_at


@pytest.fixture
def shop_url(server: LocalServer) -> Iterator[str]:
    """Return the URL of a database with the shop's tables."""
    name = f"process_{secrets.token_hex(6)}"
    url = server.create_database(name)
    make_tables(url)
    yield url
    server.drop_database(name)


@pytest.fixture
def yard(shop_url: str, tmp_path: Path) -> Iterator[Yard]:
    """Return a yard; its processes are ended at the end, whatever happened."""
    with yard_at(shop_url, tmp_path) as made:
        yield made


@pytest.fixture
def private_server() -> Iterator[PrivateServer]:
    """Return a server with the shop's tables."""
    with private_server_with() as made:
        yield made


@pytest.fixture
def private_yard(private_server: PrivateServer, tmp_path: Path) -> Iterator[Yard]:
    """Return a yard on a server of its own."""
    with yard_at(private_server.url, tmp_path) as made:
        yield made
