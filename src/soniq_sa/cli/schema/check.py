"""``soniq-sa schema check``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import typer

from soniq_sa.alembic.check import find_differences
from soniq_sa.alembic.differences import Difference
from soniq_sa.cli.database import on_database, the_app
from soniq_sa.cli.exits import SCHEMA
from soniq_sa.cli.options import App, AsJson
from soniq_sa.cli.output import write_json

_REMEDY = """\
With Alembic:    alembic upgrade head; if that leaves differences,
                 alembic revision --autogenerate -m soniq-sa, with the plugin soniq_sa in env.py
                 (soniq-sa schema init adds it), and alembic upgrade head again.
Without Alembic: soniq-sa schema sql --upgrade prints the statements."""


def check(*, app: App = None, as_json: AsJson = False) -> None:
    """Compare the job tables in the database with those of the application.

    Exits with 0 if they are the same, and with 4 if something is missing, extra or different.
    """
    soniq = the_app(app)
    metadata = soniq.tasks.metadata
    found = on_database(soniq, lambda connection: find_differences(connection, metadata))
    if as_json:
        document = {"ok": not found, "differences": [asdict(one) for one in found]}
        write_json(document)
    else:
        _show(found, [table.fullname for table in soniq.models.tables])
    if found:
        raise typer.Exit(SCHEMA)


def _show(found: Sequence[Difference], tables: Sequence[str]) -> None:
    if not found:
        typer.echo(f"{', '.join(sorted(tables))}: as the application expects.")
        return
    for difference in found:
        typer.secho(f"{difference.kind:<10}", fg="red", nl=False)
        detail = f"  {difference.detail}" if difference.detail else ""
        typer.echo(f"{difference.object:<11}{difference.name}{detail}")
    typer.echo(f"\n{_REMEDY}")
