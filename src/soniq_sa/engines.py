"""Engines of our own, beside those of the application.

Claiming, listening, beating and waking use connections that are not the application's, but are made
in the same way: with its ``connect_args``, its ``creator``, its event listeners.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.engine import Engine, create_engine
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from soniq_sa.errors import NoDatabaseError, NoDriverError
from soniq_sa.pooler import detect_pooler, name_nothing, own_creator
from soniq_sa.redaction import DEFAULT_REDACTION

_ASYNCPG = "postgresql+asyncpg"
_SYNC_DRIVERS = {"psycopg": "postgresql+psycopg", "psycopg2": "postgresql+psycopg2"}
_ASYNCPG_ONLY = {
    "command_timeout",
    "max_cached_statement_lifetime",
    "max_cacheable_statement_size",
    "prepared_statement_cache_size",
    "statement_cache_size",
    "timeout",
}
_POSTGRES = ("postgresql", "postgres")


def parse_url(url: str | URL) -> URL:
    """Return ``url`` parsed; refuse what is not a PostgreSQL URL."""
    try:
        parsed = make_url(
            url.replace("postgres://", "postgresql://", 1) if isinstance(url, str) else url
        )
    except (ArgumentError, ValueError):
        parsed = None  # the error may quote the password, where the URL breaks off in it
    if parsed is None:
        raise NoDatabaseError(
            "The database URL cannot be read (it is not shown, as it may hold a password). It looks like "
            "postgresql://user:password@host:5432/database. Write '@', ':' and '/' in a password as "
            "%40, %3A and %2F."
        )
    if parsed.get_backend_name() not in _POSTGRES:
        raise NoDatabaseError(
            f"The database URL {_shown(parsed)!r} is not for PostgreSQL. "
            "It looks like postgresql://user:password@host:5432/database."
        )
    return parsed


def asyncpg_url(url: str | URL) -> URL:
    """Return ``url`` for asyncpg, with libpq's ``sslmode`` and ``application_name`` translated."""
    parsed = parse_url(url).set(drivername=_ASYNCPG)
    query = dict(parsed.query)
    if "sslmode" in query:
        query.setdefault("ssl", query.pop("sslmode"))
    query.pop("application_name", None)
    return parsed.set(query=query)


def libpq_url(url: str | URL, driver: str) -> URL:
    """Return ``url`` for psycopg or psycopg2, with asyncpg's own parameters translated or left out."""
    parsed = parse_url(url).set(drivername=driver)
    query = {name: value for name, value in parsed.query.items() if name not in _ASYNCPG_ONLY}
    if "ssl" in query:
        query.setdefault("sslmode", query.pop("ssl"))
    return parsed.set(query=query)


def make_async_engine(url: str | URL) -> AsyncEngine:
    """Return an engine on asyncpg for any PostgreSQL URL."""
    engine = _bare_async_engine(url)
    detect_pooler(engine.sync_engine)
    return engine


def _bare_async_engine(url: str | URL) -> AsyncEngine:
    return create_async_engine(asyncpg_url(url), hide_parameters=True)


def make_sync_engine(url: str | URL) -> Engine:
    """Return an engine on psycopg, or psycopg2, for any PostgreSQL URL."""
    for module, driver in _SYNC_DRIVERS.items():
        if find_spec(module) is not None:
            engine = create_engine(libpq_url(url, driver), hide_parameters=True)
            detect_pooler(engine)
            return engine
    raise NoDriverError(
        "A handler that takes a Session needs a synchronous driver, and neither psycopg nor psycopg2 "
        "is installed. Install one: pip install 'soniq-sa[psycopg]'."
    )


def own_engine(engine: Engine) -> Engine:
    """Return an engine that connects as ``engine`` does, and keeps no connections.

    Whoever uses it holds a connection of its own; the application's pool, whatever its size, is left
    alone. Its prepared statements have no names, so that a pooler may stand in between.
    """
    pool = NullPool(own_creator(engine), _dispatch=engine.pool.dispatch, dialect=engine.dialect)
    name_nothing(pool)
    return Engine(pool, engine.dialect, engine.url, hide_parameters=True)


def own_async_engine(source: Engine | AsyncEngine | str | URL) -> AsyncEngine:
    """Return an asyncpg engine as `own_engine` does, to the database of ``source``."""
    if isinstance(source, AsyncEngine) and source.dialect.driver == "asyncpg":
        return AsyncEngine(own_engine(source.sync_engine))
    url = source.url if isinstance(source, Engine | AsyncEngine) else source
    return AsyncEngine(own_engine(_bare_async_engine(url).sync_engine))


def autocommitting(engine: Engine) -> Engine:
    """Return ``engine`` in autocommit mode: each statement is a transaction."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def held_engine(source: Engine | AsyncEngine | str | URL) -> AsyncEngine:
    """Return `own_async_engine` in autocommit mode, for connections that are held for long."""
    return AsyncEngine(autocommitting(own_async_engine(source).sync_engine))


def shown_url(engine: Engine | AsyncEngine) -> str:
    """Return the URL of ``engine`` for people: without passwords, also those among its parameters."""
    return _shown(engine.url)


def _shown(url: URL) -> str:
    secret = [name for name in url.query if DEFAULT_REDACTION.hides(name)]
    return url.difference_update_query(secret).render_as_string(hide_password=True)


def is_postgresql(bind: Any) -> bool:
    """Tell whether a connection or engine talks to PostgreSQL."""
    return bool(bind.dialect.name == "postgresql")
