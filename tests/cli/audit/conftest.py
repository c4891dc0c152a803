"""Databases with a history."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from soniq_sa.localserver import LocalServer
from tests.cli.audit.ledger import Ledger, fill


@pytest.fixture(scope="session")
def history(server: LocalServer) -> Iterator[str]:
    """Return the name of a database to copy, in which jobs have run to all kinds of ends."""
    name = f"history_{secrets.token_hex(6)}"
    asyncio.run(fill(server.create_database(name)))
    yield name
    server.drop_database(name)


@pytest.fixture
def ledger(server: LocalServer, history: str, tmp_path: Path) -> Iterator[Ledger]:
    """Return a copy of it for one test."""
    name = f"audit_{secrets.token_hex(6)}"
    made = Ledger(tmp_path, server.create_database(name, template=history))
    yield made
    made.close()
    server.drop_database(name)
