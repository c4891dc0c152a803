"""The application's tables, and a connection to its database, for one command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from soniq_sa.app import Soniq
from soniq_sa.cli.loading import load_app
from soniq_sa.engines import own_async_engine, shown_url
from soniq_sa.errors import DatabaseUnreachableError
from soniq_sa.link import describe
from soniq_sa.settings import load_settings

T = TypeVar("T")

DEADLINE = 10.0
"""Seconds to connect."""


def the_app(app: str | None) -> Soniq:
    """Return the application that is meant; see `soniq_sa.cli.loading.load_app`."""
    return load_app(load_settings(app=app).app)


def on_database(soniq: Soniq, work: Callable[[Connection], T], *, takes_url: bool = False) -> T:
    """Run ``work`` in one transaction; raise `DatabaseUnreachableError` if there is no connection.

    takes_url: Whether the command has the option ``--database-url``.
    """
    return asyncio.run(_on_database(soniq, work, "--database-url " if takes_url else ""))


async def _on_database(soniq: Soniq, work: Callable[[Connection], T], option: str) -> T:
    engine = own_async_engine(soniq.databases.engine)
    try:
        try:
            async with asyncio.timeout(DEADLINE):
                connection = await engine.connect()
        except (DBAPIError, OSError, TimeoutError) as error:
            raise DatabaseUnreachableError(
                f"{shown_url(engine)} does not answer: {describe(error)}. "
                f"Check SONIQ_SA_DATABASE_URL, {option}or the engine of your Soniq."
            ) from error
        async with aclosing(connection), connection.begin():
            return await connection.run_sync(work)
    finally:
        await engine.dispose()
        await soniq.databases.dispose()
