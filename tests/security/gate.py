"""The shop's database, behind the roles that ``soniq-sa grants`` makes, with a real login for each."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, create_engine, make_url

from soniq_sa.cli.grants.roles import GrantRole
from soniq_sa.localserver import LocalServer
from soniq_sa.localserver.databases import libpq_url
from tests.cli.commands import soniq_sa
from tests.security import shop

ROOT = Path(__file__).parents[2]
APP = "tests.security.shop:soniq"


class Gate:
    """One database, and what an administrator does with it."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server
        self.run = secrets.token_hex(4)
        self.database = f"security_{self.run}"
        self.start = f"Shop's {self.run}"
        self.password = secrets.token_urlsafe(12)
        self.url = ""

    def build(self) -> None:
        """Create the tables as a migration does, then run the script, twice; give each role a login."""
        self.url = self._server.create_database(self.database)
        self.execute(f'CREATE SCHEMA "{shop.SCHEMA}"')
        engine = create_engine(make_url(self.url).set(drivername="postgresql+psycopg"))
        shop.Base.metadata.create_all(engine)
        engine.dispose()
        script = self.script()
        self.execute(script)
        self.execute(script)
        for role in GrantRole:
            self.execute(
                f"CREATE ROLE {self.login(role)} LOGIN PASSWORD '{self.password}' "
                f'IN ROLE "{self.start}_{role}"'
            )
        every = ", ".join(map(self.login, GrantRole))
        self.execute(f"GRANT ALL ON tenants, orders, orders_id_seq TO {every}")

    def remove(self) -> None:
        """Drop the database and the roles."""
        self._server.drop_database(self.database)
        with self.connect(self._server.url) as connection:
            for role in GrantRole:
                connection.execute(f"DROP ROLE IF EXISTS {self.login(role)}".encode())
                connection.execute(f'DROP ROLE IF EXISTS "{self.start}_{role}"'.encode())

    def script(self, *options: str) -> str:
        """Return what the command prints."""
        done = soniq_sa(ROOT, "grants", "--app", APP, "--role-prefix", self.start, *options)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def login(self, role: GrantRole) -> str:
        """Return the name of the login that has the role."""
        return f"login_{self.run}_{role}"

    def url_of(self, role: GrantRole) -> URL:
        """Return the URL with which somebody of that role logs in."""
        return make_url(self.url).set(username=self.login(role), password=self.password)

    def execute(self, script: str) -> None:
        """Execute statements as the administrator."""
        with self.connect(self.url) as connection:
            connection.execute(script.encode())

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """Return what the administrator reads."""
        with self.connect(self.url) as connection:
            return connection.execute(statement.encode(), parameters or None).fetchall()

    @staticmethod
    def connect(url: str) -> psycopg.Connection[Any]:
        """Connect, in autocommit mode."""
        return psycopg.connect(libpq_url(url), autocommit=True)

    def do(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run a coroutine to its end, within the patience of a test."""

        async def run() -> Any:
            async with asyncio.timeout(30):
                return await work()

        return asyncio.run(run())
