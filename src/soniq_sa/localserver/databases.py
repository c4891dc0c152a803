"""Databases on a running server: create one, drop one, ask the version."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import asyncpg
from sqlalchemy.engine import make_url

from soniq_sa.localserver.attempts import UnavailableError

CONNECT_TIMEOUT = 10
STATEMENT_TIMEOUT = 60
UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


def create_database(maintenance_url: str, name: str, *, template: str | None = None) -> str:
    """Create a database and return its URL; `template` is the name of one to copy, to which nobody is connected."""
    copied = f" TEMPLATE {_quoted(template)}" if template else ""
    _run(maintenance_url, f"CREATE DATABASE {_quoted(name)}{copied}")
    return sibling(maintenance_url, name)


def sibling(url: str, name: str) -> str:
    """Return the URL of another database on the same server."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def drop_database(maintenance_url: str, name: str) -> None:
    """Drop a database with every connection to it; nothing happens when there is none of that name."""
    _run(maintenance_url, f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")


def server_version(maintenance_url: str) -> str:
    """Return the server's version, such as "15.18". Raises `UnavailableError` when the server cannot be reached."""
    try:
        version = str(_run(maintenance_url, "SHOW server_version"))
    except UNREACHABLE as error:
        where = make_url(maintenance_url).render_as_string()
        raise UnavailableError(
            f"cannot connect to {where}: {type(error).__name__}: {error}"
        ) from error
    return version.split(maxsplit=1)[0]


def libpq_url(url: str) -> str:
    """Render an SQLAlchemy URL as psql and asyncpg read it: without a driver's name.

    `ssl` is what SQLAlchemy calls `sslmode` for asyncpg.
    """
    made = make_url(url)
    query = {("sslmode" if key == "ssl" else key): value for key, value in made.query.items()}
    return made.set(drivername="postgresql", query=query).render_as_string(hide_password=False)


def _run(url: str, statement: str) -> object:
    """Run one statement in a thread of its own, so that the caller may be inside a running event loop."""
    with ThreadPoolExecutor(1, thread_name_prefix="soniq-sa-databases") as thread:
        return thread.submit(asyncio.run, _fetch_value(libpq_url(url), statement)).result()


async def _fetch_value(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT)
    try:
        return await connection.fetchval(statement, timeout=STATEMENT_TIMEOUT)
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
