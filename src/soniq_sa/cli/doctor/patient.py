"""What the doctor looks at: an application, or the tables alone, and connections to the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Executable, Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from soniq_sa.app import Soniq
from soniq_sa.engines import autocommitting, own_async_engine, shown_url
from soniq_sa.errors import NoDatabaseError
from soniq_sa.link import DEADLINE, DatabaseAway, Link, describe, from_database
from soniq_sa.models.roles import Models
from soniq_sa.settings import Settings


class Patient:
    """The connections are those of a worker: made as its engine makes them, outside its pool.

    soniq: The tables in the database that is meant.
    app: The application, with its tasks and its engine; None where only the tables are known.
    settings: Those that a worker would start with here.
    link: A connection to the database. listen_link: One that a worker would LISTEN on.
    has_tables: Cleared when the tables turn out to be missing.
    sees_all_rows: Cleared when row-level security turns out to hide some.
    """

    def __init__(
        self,
        soniq: Soniq,
        app: Soniq | None,
        settings: Settings,
        engine: AsyncEngine,
        listen_engine: AsyncEngine,
    ) -> None:
        self.soniq = soniq
        self.app = app
        self.settings = settings
        self.engine = engine
        self._listen_engine = listen_engine
        self.link = Link(engine)
        self.listen_link = Link(listen_engine)
        self.has_tables = True
        self.sees_all_rows = True

    @property
    def models(self) -> Models:
        """Return the tables."""
        return self.soniq.models

    @property
    def url(self) -> str:
        """Return the URL of the database, without the password."""
        return shown_url(self.engine)

    @property
    def listen_url(self) -> str:
        """Return the URL for LISTEN, without the password."""
        return shown_url(self._listen_engine)

    async def ask_session(self, statement: Executable) -> Sequence[Row[Any]]:
        """Ask on a connection with the settings that it is given, as the sessions of handlers have them.

        A `Link` sets its own. Raises `DatabaseAway`.
        """
        async with self.session() as connection:
            return (await connection.execute(statement)).all()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """Connect with the settings of handlers' sessions; raise `DatabaseAway`, also for what is refused."""
        try:
            async with asyncio.timeout(DEADLINE), self.engine.connect() as connection:
                yield connection
        except Exception as error:
            if from_database(error):
                raise DatabaseAway(describe(error)) from error
            raise


@asynccontextmanager
async def connected(soniq: Soniq, app: Soniq | None, settings: Settings) -> AsyncIterator[Patient]:
    """Make the connections when they are first used, and close them at the end."""
    engine = _autocommitting(own_async_engine(soniq.databases.engine))
    listen = engine
    if settings.listen_url is not None:
        listen = _autocommitting(_listening(settings.listen_url.get_secret_value()))
    patient = Patient(soniq, app, settings, engine, listen)
    try:
        yield patient
    finally:
        for link in (patient.link, patient.listen_link):
            await link.close()
        for one in {engine, listen}:
            await one.dispose()
        for used in filter(None, (soniq, app)):
            await used.databases.dispose()


def _listening(url: str) -> AsyncEngine:
    try:
        return own_async_engine(url)
    except NoDatabaseError as error:
        raise NoDatabaseError(f"SONIQ_SA_LISTEN_URL: {error.args[0]}") from None


def _autocommitting(engine: AsyncEngine) -> AsyncEngine:
    return AsyncEngine(autocommitting(engine.sync_engine))
