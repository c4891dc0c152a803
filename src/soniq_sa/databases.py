"""The database of an application, in the forms that its parts need."""

from __future__ import annotations

import asyncio
import functools
import weakref
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker
from sqlalchemy.orm import sessionmaker

from soniq_sa.deferred import load_settings
from soniq_sa.engines import make_async_engine, make_sync_engine, own_async_engine, parse_url
from soniq_sa.errors import ConfigurationError, NoDatabaseError
from soniq_sa.session import AsyncSoniqSession, SoniqSession

AnyEngine = Engine | AsyncEngine
AnySessionmaker = sessionmaker[Any] | async_sessionmaker[Any]


class Databases:
    """What the application gave, or ``SONIQ_SA_DATABASE_URL``, and what is made from it."""

    def __init__(
        self,
        engine: AnyEngine | None,
        factory: AnySessionmaker | None,
        url: str | None,
    ) -> None:
        self._engine = engine if engine is not None else _engine_of(factory)
        self._factory = factory
        self._url = url
        self._made_sync: Engine | None = None
        self._made: weakref.WeakKeyDictionary[Any, AsyncEngine] = weakref.WeakKeyDictionary()

    @property
    def engine(self) -> AnyEngine:
        """Return the application's engine, else one made from the URL for the running loop."""
        return self._engine if self._engine is not None else self.async_engine

    @property
    def async_engine(self) -> AsyncEngine:
        """Return an asynchronous engine for the running loop: connections belong to one."""
        if isinstance(self._engine, AsyncEngine):
            return self._engine
        loop = asyncio.get_running_loop()
        if loop not in self._made:
            self._made[loop] = make_async_engine(self._connect_url)
        return self._made[loop]

    @property
    def listen_source(self) -> AnyEngine | str:
        """Return what leads to a server that can be listened to: the direct URL, if there is one."""
        url = load_settings().listen_url
        return self.engine if url is None else url.get_secret_value()

    @property
    def async_sessions(self) -> async_sessionmaker[Any]:
        """Return the factory of the sessions for async handlers and ``soniq.enqueue``."""
        if isinstance(self._factory, async_sessionmaker):
            return self._factory
        return async_sessionmaker(self.async_engine, class_=AsyncSoniqSession)

    @property
    def sync_sessions(self) -> sessionmaker[Any]:
        """Return the factory of the sessions for sync handlers; raise `NoDriverError`."""
        if isinstance(self._factory, sessionmaker):
            return self._factory
        return sessionmaker(self._sync_engine, class_=SoniqSession)

    @property
    def _sync_engine(self) -> Engine:
        if isinstance(self._engine, Engine):
            return self._engine
        if self._made_sync is None:
            self._made_sync = make_sync_engine(self._connect_url)
        return self._made_sync

    @property
    def given_sync_sessions(self) -> sessionmaker[Any] | None:
        """Return the factory of sync sessions if the application works with sync engines."""
        sync = isinstance(self._factory, sessionmaker) or isinstance(self._engine, Engine)
        return self.sync_sessions if sync else None

    @functools.cached_property
    def loopless_engine(self) -> AsyncEngine:
        """Return an engine whose connections are kept by nobody, for a loop that ends at once."""
        return own_async_engine(self._engine or self._connect_url)

    @property
    def loopless_sessions(self) -> async_sessionmaker[AsyncSoniqSession]:
        """Return a factory of sessions for a loop that ends at once."""
        return async_sessionmaker(self.loopless_engine, class_=AsyncSoniqSession)

    async def dispose(self) -> None:
        """Close what was made here; what the application gave stays open."""
        made = self._made.pop(asyncio.get_running_loop(), None)
        if made is not None:
            await made.dispose()
        if self._made_sync is not None:
            self._made_sync.dispose()

    @property
    def _connect_url(self) -> Any:
        if self._engine is not None:
            return self._engine.url
        url = self._url or _url_from_settings()
        if url is None:
            raise NoDatabaseError(
                "No database is given. Set SONIQ_SA_DATABASE_URL (or --database-url, where a command has it), "
                "or give the application's engine or session factory: Soniq(Base.metadata, engine=engine)."
            )
        return parse_url(url)


def _url_from_settings() -> str | None:
    settings = load_settings()
    return settings.database_url.get_secret_value() if settings.database_url else None


def _engine_of(factory: AnySessionmaker | None) -> AnyEngine | None:
    if factory is None:
        return None
    bind = factory.kw.get("bind")
    if isinstance(bind, Engine | AsyncEngine):
        return bind
    if bind is None:
        return None
    raise ConfigurationError(
        f"The session factory is bound to {bind!r}. Bind it to an engine, or give engine= as well."
    )
