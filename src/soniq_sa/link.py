"""A connection that one part of the worker holds, with a deadline on everything it waits for."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.base import Executable

_REFUSALS = ("22", "23", "54")
"""SQLSTATE classes: data exception, integrity constraint violation, program limit exceeded."""

_CUT = ("55P03", "57014")
"""SQLSTATEs: lock not available, query canceled."""

_GOODBYE = 2.0
_MOST_STEPS = 60
"""After that many, the pause has long been the longest, and its formula leaves what a float holds."""

DEADLINE = 10.0
"""Seconds that connecting or a statement of the worker's own may take."""

_PLANS = text(
    "SELECT set_config(name, value, false)"
    " FROM (VALUES ('plan_cache_mode', 'force_generic_plan'), ('enable_sort', 'off'),"
    " ('enable_seqscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'),"
    " ('jit', 'off'),"
    " ('synchronous_commit', coalesce(:commits, current_setting('synchronous_commit'))))"
    " AS setting(name, value) WHERE pg_backend_pid() = :pid"
)
"""Plan each statement once, never sort a backlog that an index holds in order, and never read a table
as a whole: a worker plans while the table is empty, and keeps the plan. A plan that has to do what is
off counts as very expensive, and would be compiled each time: so no JIT. How long a commit waits is
left as it is unless ``commits`` says otherwise.

Behind a pooler, which would lend the settings to others, the backend is another one than the client
was told, and nothing is set.
"""


class DatabaseAway(Exception):  # noqa: N818 - a state, not an error of the program
    """The database did not answer, or refused: what was asked may or may not have happened."""


class StatementCut(DatabaseAway):
    """PostgreSQL ended the statement, which had waited or run for too long; the connection is good."""


class StatementRefused(Exception):  # noqa: N818 - a state, not an error of the program
    """The database answered that a value is not acceptable: repeating it would not help."""


class Link:
    """A held autocommit connection, made when it is needed and dropped at the first trouble."""

    def __init__(
        self, engine: AsyncEngine, *, deadline: float = DEADLINE, durable: bool = True
    ) -> None:
        """Prepare.

        deadline: The seconds that connecting and a statement together may take. durable: Wait for the
            disk at each commit, if the server is set to; else a crash of it may undo the last ones.
        """
        self._engine = engine
        self._deadline = deadline
        self._commits = None if durable else "off"
        self._connection: AsyncConnection | None = None
        self._turn = asyncio.Lock()
        self._compiled: dict[Executable, Compiled] = {}

    @property
    def connected(self) -> bool:
        """Tell whether a connection is held."""
        return self._connection is not None

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> Sequence[Row[Any]]:
        """Run one statement and return its rows.

        Raises `StatementRefused` if a value is not acceptable, else `DatabaseAway`.
        """
        async with self._turn, self._guard():
            connection = await self.connection()
            result = await connection.execute(statement, parameters)
            return result.all() if result.returns_rows else ()

    async def fetch(
        self, statement: Executable, parameters: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        """Run a statement of the hot path: compiled once, and handed to the driver as it is.

        Returns the driver's records. Raises as `execute` does.
        """
        if statement not in self._compiled:
            self._compiled[statement] = Compiled(statement, self._engine)
        compiled = self._compiled[statement]
        async with self._turn, self._guard():
            raw = await (await self.connection()).get_raw_connection()
            driver: Any = raw.driver_connection
            records: Sequence[Sequence[Any]] = await driver.fetch(
                compiled.text, *compiled.arguments(parameters)
            )
            return records

    async def connection(self) -> AsyncConnection:
        """Return the held connection, made now if there is none."""
        if self._connection is None:
            self._connection = await self._engine.connect()
            raw: Any = (await self._connection.get_raw_connection()).driver_connection
            await self._connection.execute(
                _PLANS, {"pid": raw.get_server_pid(), "commits": self._commits}
            )
        return self._connection

    async def driver(self) -> Any:
        """Return the asyncpg connection below; raise `DatabaseAway` if there can be none."""
        async with self._turn, self._guard():
            raw = await (await self.connection()).get_raw_connection()
            return raw.driver_connection

    @asynccontextmanager
    async def _guard(self) -> AsyncIterator[None]:
        """Set the deadline; after any trouble the connection's state is not known, so drop it."""
        try:
            async with asyncio.timeout(self._deadline):
                yield
        except BaseException as error:
            if _sqlstate(error) in _CUT:
                raise StatementCut(describe(error)) from error
            await self.drop()
            if not from_database(error):
                raise
            refused = _sqlstate(error).startswith(_REFUSALS)
            raise (StatementRefused if refused else DatabaseAway)(describe(error)) from error

    async def close(self) -> None:
        """Close the connection with a goodbye to the server, if that comes through."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError, OSError):
                async with asyncio.timeout(_GOODBYE):
                    await connection.invalidate()
                    await connection.close()

    async def drop(self) -> None:
        """Close the connection without a word to the server, which may not answer."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with suppress(SQLAlchemyError, OSError):
            raw = await connection.get_raw_connection()
            if raw.driver_connection is not None:
                raw.driver_connection.terminate()
            await connection.invalidate()
            await connection.close()


class Compiled:
    """A statement as the driver takes it."""

    def __init__(self, statement: Executable, engine: AsyncEngine) -> None:
        compiled: Any = statement.compile(dialect=engine.dialect)  # type: ignore[attr-defined]
        self.text = str(compiled)
        self._constants: dict[str, Any] = compiled.params
        self._names: list[str] = compiled.positiontup

    def arguments(self, parameters: Mapping[str, Any]) -> list[Any]:
        """Return the parameters in the order of their numbers."""
        values = {**self._constants, **parameters}
        return [values[name] for name in self._names]


class Backoff:
    """Growing pauses with jitter, so that many workers do not come back at the same moment."""

    def __init__(self, *, first: float = 0.1, longest: float = 5.0) -> None:
        self._first = first
        self._longest = longest
        self._step = 0

    def next(self) -> float:
        """Return the seconds until the next try."""
        limit = min(self._longest, self._first * 2.0**self._step)
        self._step = min(self._step + 1, _MOST_STEPS)
        return limit * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing

    def reset(self) -> None:
        """Start again with short pauses."""
        self._step = 0


def describe(error: BaseException) -> str:
    """Return an error on one line, without statement and parameters, which may hold secrets."""
    if isinstance(error, SQLAlchemyError) and (origin := getattr(error, "orig", None)) is not None:
        error = origin
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def from_database(error: BaseException) -> bool:
    """Tell an answer of the database, or none, from a mistake in this program.

    While it connects, asyncpg raises errors of its own, which SQLAlchemy does not translate.
    """
    known = isinstance(error, DBAPIError | PoolTimeout | OSError)
    return known or (isinstance(error, Exception) and type(error).__module__.startswith("asyncpg."))


def _sqlstate(error: BaseException) -> str:
    origin = getattr(error, "orig", error)
    return getattr(origin, "sqlstate", None) or ""
