"""Databases with so many jobs in each state, each made when it is first asked for."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

import psycopg
import pytest

from soniq_sa.localserver import LocalServer
from soniq_sa.localserver.databases import libpq_url
from tests.plans import statistics
from tests.plans.filling import create_tables, fill_all

Tables = Callable[[int], psycopg.Connection]
"""Returns a connection to a database with so many rows in each state."""


@pytest.fixture(scope="session")
def tables(server: LocalServer) -> Iterator[Tables]:
    """Return what makes the databases; a parametrized fixture would make them for each test."""
    with ExitStack() as stack:
        yield cache(lambda rows: stack.enter_context(_filled(server, rows)))


@contextmanager
def _filled(server: LocalServer, rows: int) -> Iterator[psycopg.Connection]:
    name = f"plans_{secrets.token_hex(6)}"
    url = server.create_database(name)
    create_tables(url)
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        fill_all(connection, rows)
        statistics.prepare(url, connection)
        yield connection
    server.drop_database(name)
