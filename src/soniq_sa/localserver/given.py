"""A server that somebody else runs, given by its URL."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from soniq_sa.localserver import databases
from soniq_sa.localserver.attempts import UnavailableError
from soniq_sa.localserver.server import LocalServer


@contextmanager
def given_server(url: str, *, keep: bool) -> Iterator[LocalServer]:
    """Create a database of this run's own on the server, and drop it at the end unless `keep` is set."""
    version = databases.server_version(_postgresql(url))
    name = f"soniq_{secrets.token_hex(4)}"
    there = True  # also when Ctrl-C comes while it is being created
    try:
        try:
            own = databases.create_database(url, name)
        except databases.UNREACHABLE as error:
            there = False
            reason = f"cannot create a database on {_shown(url)}: {error}"
            raise UnavailableError(reason) from error
        yield _server(url, own, name, version)
        there = not keep
    finally:
        if there:
            databases.drop_database(url, name)


def _server(url: str, own: str, name: str, version: str) -> LocalServer:
    return LocalServer(
        url=own,
        origin=f"PostgreSQL {version}, the given server {_shown(url)}, database {name}",
        maintenance_url=url,
        cleanup=f"psql '{_shown(url)}' -c 'DROP DATABASE {name} WITH (FORCE)'",
        tcp_url=own if make_url(url).host else None,
    )


def _postgresql(url: str) -> str:
    try:
        backend = make_url(url).get_backend_name()
    except ArgumentError as error:
        raise UnavailableError(f"the given URL is not one: {error}") from error
    if backend != "postgresql":
        raise UnavailableError(
            f"the given URL is of {backend}; postgresql://user@host/database is needed"
        )
    return url


def _shown(url: str) -> str:
    """Render the URL for a reader, without its password."""
    return make_url(url).render_as_string()
