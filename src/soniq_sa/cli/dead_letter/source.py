"""The tables that a command about dead letters works on: those of the app, or those in the database."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import Connection, MetaData, Table, inspect
from sqlalchemy.exc import DBAPIError, SAWarning

from soniq_sa.app import Soniq
from soniq_sa.cli.database import on_database, the_app
from soniq_sa.cli.dead_letter.parameters import Place
from soniq_sa.dead_letters import DeadLetters, ReplayOptions
from soniq_sa.dead_letters.replay_options import replay_parameters
from soniq_sa.errors import (
    ConfigurationError,
    DatabaseUnreachableError,
    SchemaMissingError,
    SoniqError,
)
from soniq_sa.models import include_tables
from soniq_sa.models.roles import Models
from soniq_sa.settings import load_settings

T = TypeVar("T")


class RefusedByDatabaseError(SoniqError):
    """Say what the database refused to do with dead letters."""


def check_fresh(place: Place, options: ReplayOptions) -> None:
    """Refuse what a replay would refuse; an app knows its queues, else any name that can be is taken."""
    app = _app(place)
    replay_parameters({**options}, (app or Soniq(MetaData(), queues=_queues(options))).tasks)


def with_letters(
    place: Place,
    work: Callable[[DeadLetters], Awaitable[T]],
    options: ReplayOptions | None = None,
) -> T:
    """Run ``work`` on the dead letters of the database that is meant.

    Without an app, the columns of the job table are read from the database, so that a replay copies
    those of the user as well.

    options: Those that ``work`` replays with; see `check_fresh`.
    """
    soniq, is_app = _find(place, _queues(options))
    on_database(soniq, lambda connection: _look(connection, soniq.models, complete=not is_app))
    try:
        return asyncio.run(_work(soniq, work))
    except DBAPIError as error:
        raise RefusedByDatabaseError(
            f"The database refused: {error.orig}. What was committed before stays."
        ) from error
    except (ConnectionRefusedError, ConnectionResetError, TimeoutError) as error:
        raise DatabaseUnreachableError(
            f"The database went away: {error}. What was committed before stays."
        ) from error


async def _work(soniq: Soniq, work: Callable[[DeadLetters], Awaitable[T]]) -> T:
    try:
        return await work(soniq.dead_letters)
    finally:
        await soniq.databases.dispose()


def _queues(options: ReplayOptions | None) -> list[str]:
    """Return the queue that was typed, which is meant, as far as anybody knows."""
    return [options["queue"]] if options and "queue" in options else []


def _find(place: Place, queues: list[str]) -> tuple[Soniq, bool]:
    """Return the app that is meant, or one that is described by options, and which of both it is."""
    app, url = _app(place), place.database_url
    if app is not None:
        return (
            app if url is None else Soniq(app.tasks.metadata, database_url=url, queues=queues)
        ), True
    metadata = MetaData()
    include_tables(
        metadata, schema=place.schema, prefix="soniq_" if place.prefix is None else place.prefix
    )
    return Soniq(metadata, database_url=url, queues=queues), False


def _app(place: Place) -> Soniq | None:
    named = place.schema is not None or place.prefix is not None
    if place.app and named:
        raise ConfigurationError(
            "--schema and --prefix describe tables without an app; leave out --app."
        )
    settings = load_settings(app=place.app)
    if place.app or (settings.app and not named and place.database_url is None):
        return the_app(place.app)
    return None


def _look(connection: Connection, models: Models, *, complete: bool) -> None:
    """Refuse a database without the tables; with ``complete``, add the columns that only it knows."""
    found = inspect(connection)
    for table in (models.jobs, models.attempts):
        if not found.has_table(table.name, schema=table.schema):
            raise SchemaMissingError(
                f"The database has no table {table.fullname}. If yours has another name, say --schema "
                "and --prefix, or --app module:attribute."
            )
    present = {one["name"] for one in found.get_columns(models.jobs.name, models.jobs.schema)}
    if missing := [one.name for one in models.jobs.c if one.name not in present]:
        raise SchemaMissingError(
            f"The table {models.jobs.fullname} has no {', '.join(missing)}. soniq-sa schema check shows "
            "what differs."
        )
    if complete:
        _add_columns(connection, models.jobs)


def _add_columns(connection: Connection, jobs: Table) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # types of extensions, which are only passed on
        Table(
            jobs.name,
            jobs.metadata,
            schema=jobs.schema,
            autoload_with=connection,
            autoload_replace=False,
            extend_existing=True,
            resolve_fks=False,
        )
