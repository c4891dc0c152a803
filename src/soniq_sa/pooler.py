"""Prepared statements, and the pooler that may stand between a client and the server.

A pooler in transaction mode lends one connection of the server's to many clients, to each for one
transaction. A prepared statement with a name would stay there, where its client may not find it again
and another one stumbles over it. So the connections that are made here begin without names: asyncpg
sends an unnamed statement anew each time, in one message with its values. Once a connection turns out
to be direct its statements get names, and PostgreSQL reads and plans each of them once.

    connect ──▶ no names ──▶ is pg_backend_pid() what the client was told? ──▶ names

A pooler tells its clients another process id than that of the backend which serves them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

_NAMES = "soniq_sa_statement_names"
_BACKEND = "SELECT pg_backend_pid()"

_makes_own: ContextVar[bool] = ContextVar("soniq_sa_makes_own", default=False)


class StatementNames:
    """Names the prepared statements of one connection, once that is known to be ``direct``."""

    def __init__(self) -> None:
        self.direct = False
        self._count = 0

    def __call__(self) -> str:
        """Return the name of the next statement; an empty one stands for a statement without a name."""
        if not self.direct:
            return ""
        self._count += 1
        return f"soniq_sa_{self._count}"


def names_of(connection: Any) -> StatementNames | None:
    """Return what names the statements of a pooled connection; None if it was made elsewhere."""
    found: StatementNames | None = connection.info.get(_NAMES)
    return found


def own_creator(engine: Engine) -> Callable[..., Any]:
    """Return what connects as ``engine`` does, without names for prepared statements.

    An engine with an ``async_creator`` connects as that one likes.
    """
    connect = engine.pool._invoke_creator  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - as the pool calls it
    if engine.dialect.driver != "asyncpg":
        return connect
    if not event.contains(engine, "do_connect", _connect_own):
        event.listen(engine, "do_connect", _connect_own)

    def connect_own(connection_record: Any = None) -> Any:
        token = _makes_own.set(True)
        try:
            return connect(connection_record)
        finally:
            _makes_own.reset(token)

    return connect_own


def name_nothing(pool: Pool) -> None:
    """Have the connections of ``pool`` never name a statement, where psycopg would after some time."""
    event.listen(pool, "connect", _name_nothing)


def detect_pooler(engine: Engine) -> None:
    """Have each connection of an engine that was made here look whether it is direct."""
    if engine.dialect.driver == "asyncpg":
        event.listen(engine, "do_connect", _connect_unnamed)
        event.listen(engine, "connect", _look_through_asyncpg)
    elif engine.dialect.driver == "psycopg":
        event.listen(engine, "connect", _look_through_psycopg)


def _connect_own(dialect: Any, record: Any, args: Any, options: Any) -> Any:
    return _connect_unnamed(dialect, record, args, options) if _makes_own.get() else None


def _connect_unnamed(dialect: Any, record: Any, args: Any, options: Any) -> Any:
    names = StatementNames()
    if record is not None:
        record.info[_NAMES] = names
    unnamed = {"statement_cache_size": 0, "prepared_statement_name_func": names}
    return dialect.connect(*args, **{**options, **unnamed})


def _look_through_asyncpg(connection: Any, record: Any) -> None:
    names = names_of(record)
    if names is not None:
        pid = connection.run_async(lambda driver: driver.fetchval(_BACKEND))
        names.direct = pid == record.driver_connection.get_server_pid()


def _look_through_psycopg(connection: Any, _record: Any) -> None:
    (pid,) = connection.execute(_BACKEND).fetchone()
    connection.rollback()
    if pid != connection.info.backend_pid:
        connection.prepare_threshold = None


def _name_nothing(_connection: Any, record: Any) -> None:
    if hasattr(record.driver_connection, "prepare_threshold"):
        record.driver_connection.prepare_threshold = None
