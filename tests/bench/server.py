"""The PostgreSQL of a benchmark: durable, quiet, and read by nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import psycopg

from soniq_sa.localserver import LocalServer, NoServerError, local_server

_SETTINGS = {
    "shared_buffers": "256MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",  # no checkpoint, and no full-page writes after it, inside a run
    "autovacuum": "off",  # each run vacuums and analyzes before it starts
    "logging_collector": "on",  # into a file of its own, which one benchmark reads
    "log_directory": "log",
    "log_filename": "server.log",
    "log_parameter_max_length": "0",
}
_COUNTED = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.max": "1000"}


class Server:
    """A server, with a fresh database for each run."""

    def __init__(self, local: LocalServer, *, counts_statements: bool) -> None:
        self.local = local
        self.counts_statements = counts_statements
        self.maintenance = psycopg.connect(
            local.maintenance_url, autocommit=True, prepare_threshold=None
        )
        if counts_statements:
            self.maintenance.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        self._numbers = count(1)

    @property
    def log(self) -> Path | None:
        """Return the file with what the server says; None for one that runs elsewhere."""
        folder = self.local.folder
        return None if folder is None else folder / "data" / "log" / "server.log"

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """Yield the URL of an empty database, or of a copy of ``template``."""
        name = f"bench_{next(self._numbers)}"
        yield self.local.create_database(name, template=template)
        self.local.drop_database(name)

    def ask(self, query: str, *parameters: object) -> tuple[object, ...]:
        """Return the first row of a query about the server."""
        row = self.maintenance.execute(query.encode(), parameters).fetchone()
        return row or ()

    def number(self, query: str, *parameters: object) -> float:
        """Return the first column of the first row of a query, a number."""
        (found,) = self.ask(query, *parameters)
        return float(str(found))

    @contextmanager
    def changed(self, **settings: str) -> Iterator[None]:
        """Run the whole server with other settings, for some time."""
        for name, value in settings.items():
            self.maintenance.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
        self.maintenance.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            for name in settings:
                self.maintenance.execute(f"ALTER SYSTEM RESET {name}".encode())
            self.maintenance.execute("SELECT pg_reload_conf()")


@contextmanager
def bench_server() -> Iterator[Server]:
    """Start a server that counts its statements; if it has no library for that, one without."""
    with ExitStack() as stack:
        try:
            local = stack.enter_context(local_server(durable=True, settings=_SETTINGS | _COUNTED))
            counts_statements = True
        except NoServerError:
            local = stack.enter_context(local_server(durable=True, settings=_SETTINGS))
            counts_statements = False
        server = Server(local, counts_statements=counts_statements)
        stack.enter_context(server.maintenance)
        yield server


def analyze(url: str) -> None:
    """Vacuum and analyze the whole database, so that no run depends on when the server would."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
