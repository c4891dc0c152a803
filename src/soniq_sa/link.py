"""A connection that one part of the worker holds, with a deadline on everything it waits for."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cached_property
from typing import Any

from sqlalchemy import Row, Select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.base import Executable

from soniq_sa.pooler import StatementNames, names_of
from soniq_sa.redaction import DEFAULT_REDACTION
from soniq_sa.statements.settings import own_settings

_REFUSALS = ("22", "23", "54")
"""SQLSTATE classes: data exception, integrity constraint violation, program limit exceeded."""

_CUT = ("55P03", "57014")
"""SQLSTATEs: lock not available, query canceled."""

_READ_ONLY = "25006"
"""SQLSTATE: read only SQL transaction."""

_GOODBYE = 2.0
_MOST_STEPS = 60
"""After that many, the pause has long been the longest, and its formula leaves what a float holds."""

DEADLINE = 10.0
"""Seconds that connecting or a statement of the worker's own may take."""

LONGEST_PAUSE = 2.0
"""Seconds between two tries to reach a database that is away, at most."""

_SERVER_SIDE = 0.9
"""PostgreSQL ends a statement at this part of its deadline, so that none is left that nobody awaits."""


class DatabaseAway(Exception):  # noqa: N818 - a state, not an error of the program
    """The database did not answer, or refused: what was asked may or may not have happened."""


class StatementCut(DatabaseAway):
    """PostgreSQL ended the statement, which had waited or run for too long."""


class StatementRefused(Exception):  # noqa: N818 - a state, not an error of the program
    """The database answered that a value is not acceptable: repeating it would not help."""


class Link:
    """A held autocommit connection, made when it is needed and dropped at the first trouble.

    It has settings of its own, whatever its role has. Behind a pooler it is a way to some connection of
    the server's, another one for each transaction: so there each transaction begins with the settings.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        deadline: float = DEADLINE,
        durable: bool = True,
        lock_wait: float | None = None,
    ) -> None:
        """Prepare.

        deadline: The seconds that connecting and a statement together may take. durable: Wait for the
            disk at each commit, if the server is set to; else a crash of it may undo the last ones.
        lock_wait: After so many seconds behind a lock a statement is cut. Default: at its deadline.
        """
        self._engine = engine
        self._deadline = deadline
        self._durable = durable
        self._lock_wait = lock_wait
        self._connection: AsyncConnection | None = None
        self._doubted = False
        self._driver: Any = None
        self._names: StatementNames | None = None
        self._prepared: dict[str, Any] = {}
        self._turn = asyncio.Lock()
        self._compiled: dict[Executable, Compiled] = {}
        self.pooled = False

    @property
    def connected(self) -> bool:
        """Tell whether a connection is held; only then ``pooled`` says whether a pooler is in between."""
        return self._connection is not None

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> Sequence[Row[Any]]:
        """Run one statement and return its rows.

        Raises `StatementRefused` if a value is not acceptable, else `DatabaseAway`.
        """
        async with self._turn, self._guard():
            connection = await self.connection()
            async with self._transaction():
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
            _ = await self.connection()
            async with self._transaction():
                prepared = await self._prepare(compiled.text)
                records: Sequence[Sequence[Any]] = await prepared.fetch(
                    *compiled.arguments(parameters)
                )
                return records

    async def connection(self) -> AsyncConnection:
        """Return the held connection, made now if there is none."""
        if self._doubted:
            await self.drop()
        if self._connection is None:
            self.pooled = True  # until it is known: after a failure here the connection is no good
            self._connection = await self._engine.connect()
            raw = await self._connection.get_raw_connection()
            self._driver, self._names, self._prepared = raw.driver_connection, names_of(raw), {}
            pid = {"pid": self._driver.get_server_pid()}
            self.pooled = not (await self._connection.execute(self._settings(), pid)).all()
            if self._names is not None:
                self._names.direct = not self.pooled
        return self._connection

    def doubt(self) -> None:
        """Have the next statement sent on a new connection, if none is under way now.

        One that is under way has its deadline.
        """
        self._doubted = self.connected and not self._turn.locked()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        """Behind a pooler, begin a transaction with the settings, and commit it."""
        if not self.pooled:
            yield
            return
        await self._driver.execute(self._begin)
        yield
        await self._driver.execute("COMMIT")

    @cached_property
    def _begin(self) -> str:
        settings = self._settings(local=True).compile(
            dialect=self._engine.dialect, compile_kwargs={"literal_binds": True}
        )
        return f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {settings}"

    def _settings(self, *, local: bool = False) -> Select[str]:
        return own_settings(
            duration=self._deadline * _SERVER_SIDE,
            lock_wait=self._lock_wait,
            durable=self._durable,
            local=local,
        )

    async def _prepare(self, sql: str) -> Any:
        """Return a prepared statement; without a name, it is sent anew with each of its values."""
        if sql not in self._prepared:
            name = self._names() if self._names is not None else None
            self._prepared[sql] = await self._driver.prepare(sql, name=name)
        return self._prepared[sql]

    async def driver(self) -> Any:
        """Return the asyncpg connection below; raise `DatabaseAway` if there can be none."""
        async with self._turn, self._guard():
            _ = await self.connection()
            return self._driver

    @asynccontextmanager
    async def _guard(self) -> AsyncIterator[None]:
        """Set the deadline; after any trouble the connection's state is not known, so drop it."""
        try:
            async with asyncio.timeout(self._deadline):
                yield
        except BaseException as error:
            lost = getattr(error, "connection_invalidated", False)
            cut = sqlstate(error) in _CUT and not lost
            if self.pooled or not cut:
                await self.drop()
            if not from_database(error):
                raise
            if cut:
                raise StatementCut(describe(error)) from error
            refused = sqlstate(error).startswith(_REFUSALS)
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
        self._doubted = False
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
    """Growing pauses with jitter, so that many workers do not come back at the same moment.

    The longest is what a job may wait for at most once the database is back, beside the connecting.
    """

    def __init__(self, *, first: float = 0.1, longest: float = LONGEST_PAUSE) -> None:
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
    """Return an error on one line, without statement, parameters, rows and passwords."""
    hint = (
        "; the server is a standby, or was made read-only" if sqlstate(error) == _READ_ONLY else ""
    )
    if isinstance(error, SQLAlchemyError) and (origin := getattr(error, "orig", None)) is not None:
        error = origin
    text = DEFAULT_REDACTION.scrub(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text}{hint}" if text else type(error).__name__


def from_database(error: BaseException) -> bool:
    """Tell an answer of the database, or none, from a mistake in this program.

    While it connects, asyncpg raises errors of its own, which SQLAlchemy does not translate.
    """
    known = isinstance(error, DBAPIError | PoolTimeout | OSError)
    return known or (isinstance(error, Exception) and type(error).__module__.startswith("asyncpg."))


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE of an error of any driver; "" if it has none."""
    origin = getattr(error, "orig", error)
    return getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None) or ""


def without_room(error: BaseException) -> bool:
    """Tell whether PostgreSQL lacks disk, memory or connections (SQLSTATE class 53)."""
    return sqlstate(error).startswith("53")
