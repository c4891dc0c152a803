"""The tables that a command about dead letters works on: those of the app, or those in the database."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import Connection, MetaData, Table
from sqlalchemy.exc import DBAPIError, SAWarning

from soniq_sa.app import Soniq
from soniq_sa.cli.database import on_database
from soniq_sa.cli.dead_letter.parameters import LetterPlace
from soniq_sa.cli.place import find_app, given_app, require_tables
from soniq_sa.dead_letters import DeadLetter, DeadLetters, ReplayOptions
from soniq_sa.dead_letters.replay_options import replay_parameters
from soniq_sa.errors import DatabaseUnreachableError, SoniqError
from soniq_sa.link import describe
from soniq_sa.models.roles import Models

T = TypeVar("T")


class RefusedByDatabaseError(SoniqError):
    """Say what the database refused to do with dead letters."""


def check_fresh(place: LetterPlace, options: ReplayOptions) -> None:
    """Refuse what a replay would refuse; an app knows its queues, else any name that can be is taken."""
    app = given_app(place)
    replay_parameters({**options}, (app or Soniq(MetaData(), queues=_queues(options))).tasks)


def with_letters(
    place: LetterPlace,
    work: Callable[[DeadLetters], Awaitable[T]],
    options: ReplayOptions | None = None,
) -> T:
    """Run ``work`` on the dead letters of the database that is meant.

    Without an app, the columns of the job table are read from the database, so that a replay copies
    those of the user as well.

    options: Those that ``work`` replays with; see `check_fresh`.
    """
    soniq, is_app = find_app(place, _queues(options))
    soniq.tasks.redaction.add(*(place.redact or ()))
    on_database(
        soniq,
        lambda connection: _look(connection, soniq.models, complete=not is_app),
        takes_url=True,
    )
    try:
        return asyncio.run(_work(soniq, work))
    except DBAPIError as error:
        raise RefusedByDatabaseError(
            f"The database refused: {describe(error)}. What was committed before stays."
        ) from error
    except (ConnectionRefusedError, ConnectionResetError, TimeoutError) as error:
        raise DatabaseUnreachableError(
            f"The database went away: {error}. What was committed before stays."
        ) from error


def for_people(
    look: Callable[[DeadLetters], Awaitable[list[DeadLetter]]], *, show_secrets: bool
) -> Callable[[DeadLetters], Awaitable[list[DeadLetter]]]:
    """Return ``look`` without the secrets in what it finds, unless they are asked for."""

    async def work(desk: DeadLetters) -> list[DeadLetter]:
        found = await look(desk)
        return found if show_secrets else list(map(desk.redacted, found))

    return work


async def _work(soniq: Soniq, work: Callable[[DeadLetters], Awaitable[T]]) -> T:
    try:
        return await work(soniq.dead_letters)
    finally:
        await soniq.databases.dispose()


def _queues(options: ReplayOptions | None) -> list[str]:
    """Return the queue that was typed, which is meant, as far as anybody knows."""
    return [options["queue"]] if options and "queue" in options else []


def _look(connection: Connection, models: Models, *, complete: bool) -> None:
    """Refuse a database without the tables; with ``complete``, add the columns that only it knows."""
    require_tables(connection, models.jobs, models.attempts)
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
