"""``soniq-sa schema sql``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from sqlalchemy import Executable, MetaData, create_mock_engine
from sqlalchemy.schema import CreateSchema

from soniq_sa.alembic.check import upgrade_sql
from soniq_sa.cli.database import on_database, the_app
from soniq_sa.cli.options import App, AsJson
from soniq_sa.cli.output import write_json
from soniq_sa.errors import ConfigurationError
from soniq_sa.models import include_tables
from soniq_sa.models.roles import Models
from soniq_sa.models.table_options import Durability, Notify
from soniq_sa.settings import load_settings


def sql(
    *,
    app: App = None,
    drop: Annotated[bool, typer.Option("--drop", help="Print what drops the tables.")] = False,
    upgrade: Annotated[
        bool,
        typer.Option(
            "--upgrade", help="Print what turns the tables of the database into those of the app."
        ),
    ] = False,
    schema: Annotated[
        str | None, typer.Option(help="The schema of the tables, instead of the app's.")
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(help="The start of their names, instead of the app's.")
    ] = None,
    notify: Annotated[
        Notify | None, typer.Option(help="Who wakes the workers, instead of the app's choice.")
    ] = None,
    durability: Annotated[
        Durability | None, typer.Option(help="How jobs are stored, instead of the app's choice.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the statements that make the job tables, or drop or upgrade them.

    With an app, its tables with your own columns; otherwise those that the options describe.
    """
    chosen = {
        "schema": schema,
        "prefix": prefix,
        "notify": notify,
        "durability": durability,
    }
    options = {name: value for name, value in chosen.items() if value is not None}
    statements = (
        _upgrade(app, options) if upgrade else _statements(_metadata(app, options), drop=drop)
    )
    if as_json:
        write_json({"statements": statements})
    else:
        typer.echo("\n\n".join(f"{one};" for one in statements))


def _upgrade(app: str | None, options: dict[str, Any]) -> list[str]:
    if options:
        raise ConfigurationError(
            f"--upgrade compares the app's own tables; leave out --{', --'.join(options)}."
        )
    soniq = the_app(app)
    metadata = soniq.tasks.metadata
    text = on_database(soniq, lambda connection: upgrade_sql(connection, metadata))
    return [one.strip() for one in text.split(";\n\n") if one.strip()]


def _metadata(app: str | None, options: dict[str, Any]) -> MetaData:
    if not options and load_settings(app=app).app:
        return the_app(app).tasks.metadata
    metadata = MetaData()
    include_tables(metadata, **options)
    return metadata


def _statements(metadata: MetaData, *, drop: bool) -> list[str]:
    """Return what ``create_all`` or ``drop_all`` would execute."""
    models = Models(metadata)
    statements: list[str] = []

    def note(statement: Executable, *_parameters: Any, **_options: Any) -> None:
        text = str(statement.compile(dialect=engine.dialect))  # type: ignore[attr-defined]
        statements.append("\n".join(line.rstrip() for line in text.strip().splitlines()))

    engine = create_mock_engine("postgresql+asyncpg://", note)
    if drop:
        metadata.drop_all(engine, tables=models.tables, checkfirst=False)
        return statements
    for schema in sorted({table.schema for table in models.tables if table.schema}):
        note(CreateSchema(schema, if_not_exists=True))
    metadata.create_all(engine, tables=models.tables, checkfirst=False)
    return [one for block in _blocks(statements) for one in block]


def _blocks(statements: list[str]) -> Iterator[list[str]]:
    """Yield the statements with neighbouring indexes in the order of their names, as they are a set."""
    for is_index, block in itertools.groupby(
        statements, lambda one: one.startswith("CREATE INDEX")
    ):
        found = list(block)
        yield sorted(found) if is_index else found
