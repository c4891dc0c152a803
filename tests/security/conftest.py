"""A database with the shop's tables, and a login for each role."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from soniq_sa.localserver import LocalServer
from tests.runtime.bench import Bench
from tests.runtime.models import Base
from tests.security.gate import Gate


@pytest.fixture(scope="session")
def gate(server: LocalServer) -> Iterator[Gate]:
    """Return the database; roles belong to the server, so theirs have names of this run."""
    made = Gate(server)
    try:
        made.build()
        yield made
    finally:
        made.remove()


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    """Return an application whose engine shows parameters in its errors, as SQLAlchemy's default is."""
    made = Bench(database_url)
    made.engine.sync_engine.hide_parameters = False
    async with made.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield made
    await made.engine.dispose()
