"""``soniq-sa schema create`` and ``soniq-sa schema drop``, for those without Alembic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from sqlalchemy import Connection, Table, func, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from soniq_sa.alembic.check import find_differences
from soniq_sa.cli.asking import ask
from soniq_sa.cli.database import on_database, the_app
from soniq_sa.cli.options import App, AsJson, Yes
from soniq_sa.cli.output import write_json
from soniq_sa.cli.schema.history import refuse_under_alembic
from soniq_sa.errors import SoniqError
from soniq_sa.models.roles import Models
from soniq_sa.states import UNFINISHED

OutsideAlembic = Annotated[
    bool,
    typer.Option(
        "--outside-alembic", help="Do it although Alembic's history knows, or may know, the tables."
    ),
]

_MIGRATE = (
    "Let a migration make them: alembic revision --autogenerate -m jobs && alembic upgrade head."
)
_REMOVE = (
    "Let a migration drop them: take include_tables() out of the models, then "
    "alembic revision --autogenerate -m 'no jobs' && alembic upgrade head."
)


class TablesInUseError(SoniqError):
    """Name what else in the database depends on the tables."""


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a drop would take away."""

    tables: list[str]
    unfinished: int
    workers: int

    @property
    def summary(self) -> str:
        """Return what there is, for the question whether to drop it."""
        return (
            f"{', '.join(self.tables)}: {self.unfinished} unfinished jobs, "
            f"{self.workers} running workers."
        )


def create(
    *, app: App = None, outside_alembic: OutsideAlembic = False, as_json: AsJson = False
) -> None:
    """Create the job tables, and their schema, where they are missing.

    Tables that are there are not changed: see `soniq-sa schema sql --upgrade`.
    """
    soniq = the_app(app)
    models = soniq.models

    def work(connection: Connection) -> tuple[list[str], list[str], int]:
        if not outside_alembic:
            refuse_under_alembic(connection, models, _MIGRATE)
        before = _present(connection, models)
        for schema in sorted({table.schema for table in models.tables if table.schema}):
            connection.execute(CreateSchema(schema, if_not_exists=True))
        soniq.create_all(connection)
        made = [name for name in _names(models) if name not in before]
        return made, before, len(find_differences(connection, soniq.tasks.metadata))

    made, before, differences = on_database(soniq, work)
    if as_json:
        document = {"created": made, "existing": before, "differences": differences}
        write_json(document)
        return
    if made:
        typer.echo(f"Created {', '.join(made)}.")
    if before:
        typer.echo(f"There already: {', '.join(before)}.")
    if differences:
        left = "1 difference is" if differences == 1 else f"{differences} differences are"
        typer.echo(f"{left} left. soniq-sa schema check shows what differs.")


def drop(
    *,
    app: App = None,
    yes: Yes = False,
    outside_alembic: OutsideAlembic = False,
    as_json: AsJson = False,
) -> None:
    """Drop the job tables, with all jobs in them. Asks first."""
    soniq = the_app(app)
    models = soniq.models

    def look(connection: Connection) -> _Contents:
        if not outside_alembic:
            refuse_under_alembic(connection, models, _REMOVE)
        return _contents(connection, models)

    contents = on_database(soniq, look)
    if contents.tables and not yes:
        ask(contents.summary, "Drop them, with all that is in them?")
    if contents.tables:
        on_database(soniq, lambda connection: _drop_all(connection, models))
    if as_json:
        write_json({"dropped": contents.tables})
    elif contents.tables:
        typer.echo(f"Dropped {', '.join(contents.tables)}.")
    else:
        typer.echo("There is nothing to drop.")


def _drop_all(connection: Connection, models: Models) -> None:
    try:
        models.jobs.metadata.drop_all(connection, tables=models.tables)
    except DBAPIError as error:
        cause = error.orig and error.orig.__cause__
        detail = getattr(cause, "detail", None) or "PostgreSQL does not say what."
        raise TablesInUseError(
            f"Nothing is dropped: {cause or error.orig}. {detail} Drop that first."
        ) from error


def _contents(connection: Connection, models: Models) -> _Contents:
    present = _present(connection, models)
    unfinished = workers = 0
    if models.jobs.fullname in present:
        waiting = models.jobs.c.state.in_(UNFINISHED)
        unfinished = _count(connection, models.jobs, waiting)
    if models.workers.fullname in present:
        workers = _count(connection, models.workers, models.workers.c.expires_at > func.now())
    return _Contents(present, unfinished, workers)


def _count(connection: Connection, table: Table, condition: object) -> int:
    count = select(func.count()).select_from(table).where(condition)  # type: ignore[arg-type]
    return int(connection.execute(count).scalar_one())


def _present(connection: Connection, models: Models) -> list[str]:
    found = inspect(connection)
    return [
        table.fullname
        for table in models.tables
        if found.has_table(table.name, schema=table.schema)
    ]


def _names(models: Models) -> Sequence[str]:
    return [table.fullname for table in models.tables]
