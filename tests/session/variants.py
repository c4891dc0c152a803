"""One way to write a test for sync and async sessions, whatever the driver."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

from sqlalchemy import Engine, create_engine, delete, event, text
from sqlalchemy.engine import URL, Row
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from soniq_sa import AsyncSoniqSession, SoniqSession
from tests.session.models import Base

DRIVERS = ("psycopg", "psycopg2", "asyncpg")
EMPTY = "; ".join(str(delete(table)) for table in reversed(Base.metadata.sorted_tables))


class AwaitedSession:
    """A sync session whose I/O is awaited, as that of an async session is."""

    def __init__(self, session: Session) -> None:
        self.sync_session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sync_session, name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.sync_session.close()

    async def run_sync(self, function: Any) -> Any:
        return function(self.sync_session)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Any]:
        with self.sync_session.begin() as transaction:
            yield transaction

    def begin_nested(self) -> AwaitedSavepoint:
        return AwaitedSavepoint(self.sync_session)


def _awaited(name: str) -> Any:
    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.sync_session, name)(*args, **kwargs)

    return call


for _name in (
    "close",
    "commit",
    "delete",
    "execute",
    "flush",
    "get",
    "merge",
    "prepare",
    "refresh",
    "rollback",
    "scalar",
    "scalars",
):
    setattr(AwaitedSession, _name, _awaited(_name))


class AwaitedSavepoint:
    """A savepoint of a sync session: awaited, or entered."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._savepoint: Any = None

    def __await__(self) -> Any:
        self._savepoint = self._session.begin_nested()
        return self
        yield  # a generator, as an awaitable is

    async def __aenter__(self) -> Self:
        (await self)._savepoint.__enter__()  # noqa: SLF001 - its own
        return self

    async def __aexit__(self, *error: object) -> None:
        self._savepoint.__exit__(*error)

    async def rollback(self) -> None:
        self._savepoint.rollback()

    async def commit(self) -> None:
        self._savepoint.commit()


class Variant:
    """Sessions of one kind, and a connection beside them that sees what is committed."""

    def __init__(self, driver: str, url: URL, observer: Engine) -> None:
        self.driver = driver
        self.observer = observer
        target = url.set(drivername=f"postgresql+{driver}")
        self.is_async = driver == "asyncpg"
        self.engine: Any = (
            create_async_engine(target, poolclass=NullPool)
            if self.is_async
            else create_engine(target)
        )

    @property
    def sync_engine(self) -> Engine:
        """Return the engine that has the events."""
        return self.engine.sync_engine if isinstance(self.engine, AsyncEngine) else self.engine

    def session(self, **options: Any) -> Any:
        """Return a new session; its I/O is awaited."""
        if self.is_async:
            return AsyncSoniqSession(self.engine, **options)
        return AwaitedSession(SoniqSession(self.engine, **options))

    def rows(self, statement: str = "SELECT * FROM soniq_jobs ORDER BY id") -> list[Row[Any]]:
        """Return committed rows."""
        with self.observer.connect() as connection:
            return list(connection.execute(text(statement)).all())

    def jobs(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the committed jobs: task and stored arguments, in the order of their ids."""
        return [(row.task, row.args) for row in self.rows()]

    def clear(self) -> None:
        """Delete all rows."""
        with self.observer.connect() as connection:
            connection.exec_driver_sql(EMPTY)

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Collect the statements that the application's connections execute."""
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            seen.append(statement)

        event.listen(self.sync_engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(self.sync_engine, "before_cursor_execute", note)


@contextmanager
def own_variant(driver: str, url: URL) -> Iterator[Variant]:
    """Make a variant on a database that no other test uses."""
    observer = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    Base.metadata.create_all(observer)
    yield Variant(driver, url, observer)
    observer.dispose()


async def dispose(variant: Variant) -> None:
    """Close the connections of a variant."""
    if isinstance(variant.engine, AsyncEngine):
        await variant.engine.dispose()
    else:
        variant.engine.dispose()
