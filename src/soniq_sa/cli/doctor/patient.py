"""What the doctor looks at: an application, or the tables alone, and connections to the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from soniq_sa.app import Soniq
from soniq_sa.engines import autocommitting, own_async_engine, shown_url
from soniq_sa.link import Link
from soniq_sa.models.roles import Models
from soniq_sa.settings import Settings


class Patient:
    """The connections are those of a worker: made as its engine makes them, outside its pool.

    soniq: The tables in the database that is meant.
    app: The application, with its tasks and its engine; None where only the tables are known.
    settings: Those that a worker would start with here.
    link: A connection to the database. listen_link: One that a worker would LISTEN on.
    has_tables: Cleared when the tables turn out to be missing.
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
        self.link = Link(engine)
        self.listen_link = Link(listen_engine)
        self.has_tables = True

    @property
    def models(self) -> Models:
        """Return the tables."""
        return self.soniq.models

    @property
    def url(self) -> str:
        """Return the URL of the database, without the password."""
        return shown_url(self.engine)


@asynccontextmanager
async def connected(soniq: Soniq, app: Soniq | None, settings: Settings) -> AsyncIterator[Patient]:
    """Make the connections when they are first used, and close them at the end."""
    given = settings.listen_url
    database = soniq.databases.engine
    engine = _autocommitting(own_async_engine(database))
    listen = _autocommitting(own_async_engine(given.get_secret_value() if given else database))
    patient = Patient(soniq, app, settings, engine, listen)
    try:
        yield patient
    finally:
        for link in (patient.link, patient.listen_link):
            await link.close()
        for one in (engine, listen):
            await one.dispose()
        for used in filter(None, (soniq, app)):
            await used.databases.dispose()


def _autocommitting(engine: AsyncEngine) -> AsyncEngine:
    return AsyncEngine(autocommitting(engine.sync_engine))
