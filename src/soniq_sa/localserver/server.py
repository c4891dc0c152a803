"""A server somebody can use: where it is, and databases on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from soniq_sa.localserver import databases


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A PostgreSQL with a database of its own for this run.

    url: of that database, for SQLAlchemy's `make_url`, psql and asyncpg alike; through the Unix socket where there is one.
    origin: one line for people: the version, and where programs and data are.
    maintenance_url: of the database that create and drop statements go through.
    cleanup: the shell command that removes what `keep` left behind.
    tcp_url: of the same database through 127.0.0.1, when it was asked for or is the only way.
    folder: data, socket and log, when this process started the server.
    pid: the server's process, when this process started it.
    """

    url: str
    origin: str
    maintenance_url: str
    cleanup: str
    tcp_url: str | None = None
    folder: Path | None = None
    pid: int | None = None

    @property
    def libpq_url(self) -> str:
        """Return the URL as psql and asyncpg read it: without a driver's name."""
        return databases.libpq_url(self.url)

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Create another database on this server and return its URL."""
        return databases.create_database(self.maintenance_url, name, template=template)

    def drop_database(self, name: str) -> None:
        """Drop a database with every connection to it."""
        databases.drop_database(self.maintenance_url, name)
