"""Which database and which tables a command is about: those of an app, or those that options describe."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

import typer
from sqlalchemy import Connection, MetaData, Table, inspect

from soniq_sa.app import Soniq
from soniq_sa.cli.database import the_app
from soniq_sa.cli.options import App
from soniq_sa.errors import ConfigurationError, SchemaMissingError, TaskDefinitionError
from soniq_sa.models import include_tables
from soniq_sa.settings import load_settings


@dataclass(frozen=True, slots=True)
class Place:
    """Which database and which tables are meant."""

    app: App = None
    database_url: Annotated[
        str | None, typer.Option(help="The database. [env: SONIQ_SA_DATABASE_URL]")
    ] = None
    schema: Annotated[str | None, typer.Option(help="The schema of the tables.")] = None
    prefix: Annotated[
        str | None, typer.Option(help="The start of their names. Default: soniq_.")
    ] = None


def find_app(place: Place, queues: Iterable[str] = ()) -> tuple[Soniq, bool]:
    """Return the app that is meant, or one that is described by options, and which of both it is.

    queues: Those that are meant, as far as anybody knows.
    """
    app, url = given_app(place), place.database_url
    if app is not None:
        _learn_secrets(app)
        return (app if url is None else _elsewhere(app, url, queues)), True
    metadata = MetaData()
    include_tables(
        metadata, schema=place.schema, prefix="soniq_" if place.prefix is None else place.prefix
    )
    return Soniq(metadata, database_url=url, queues=queues), False


def _learn_secrets(app: Soniq) -> None:
    """Have the tasks tell which of their arguments are secret by their type."""
    for task in app.tasks:
        with suppress(TaskDefinitionError):
            _ = task.codec


def _elsewhere(app: Soniq, url: str, queues: Iterable[str]) -> Soniq:
    """Return the tables of ``app`` in another database, with what it keeps secret."""
    other = Soniq(app.tasks.metadata, database_url=url, queues=queues)
    other.tasks.redaction = app.tasks.redaction
    return other


def given_app(place: Place) -> Soniq | None:
    """Return the app that is meant; None if none is, as where only the tables are described."""
    named = place.schema is not None or place.prefix is not None
    if place.app and named:
        raise ConfigurationError(
            "--schema and --prefix describe tables without an app; leave out --app."
        )
    settings = load_settings(app=place.app)
    if place.app or (settings.app and not named and place.database_url is None):
        return the_app(place.app)
    return None


def require_tables(connection: Connection, *tables: Table) -> None:
    """Refuse a database that lacks one of the tables, or a column that they need."""
    found = inspect(connection)
    for table in tables:
        if not found.has_table(table.name, schema=table.schema):
            raise SchemaMissingError(
                f"The database has no table {table.fullname}. If yours has another name, say --schema "
                "and --prefix, or --app module:attribute."
            )
        present = {one["name"] for one in found.get_columns(table.name, table.schema)}
        if missing := [one.name for one in table.c if one.name not in present]:
            raise SchemaMissingError(
                f"The table {table.fullname} has no {', '.join(missing)}. soniq-sa schema check shows "
                "what differs."
            )
