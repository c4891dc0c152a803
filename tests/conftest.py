"""Fixtures for all tests: a PostgreSQL for the run, and a database of its own for each test."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator

import pytest

from soniq_sa.localserver import LocalServer, local_server

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts a command in the background has it ignore Ctrl-C, and all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def server() -> Iterator[LocalServer]:
    """Return a PostgreSQL server: that of ``SONIQ_SA_TEST_URL``, else one started for this run."""
    url = os.environ.get("SONIQ_SA_TEST_URL")
    with local_server(url, settings={"max_prepared_transactions": "20"}) as found:
        yield found


@pytest.fixture
def database_url(server: LocalServer) -> Iterator[str]:
    """Return the URL of an empty database for one test."""
    name = f"test_{secrets.token_hex(6)}"
    yield server.create_database(name)
    server.drop_database(name)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the environment of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name.startswith("SONIQ_SA_"):
            monkeypatch.delenv(name)
