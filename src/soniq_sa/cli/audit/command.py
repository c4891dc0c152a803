"""``soniq-sa audit``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Annotated

import typer
from sqlalchemy.exc import DBAPIError

from soniq_sa.app import Soniq
from soniq_sa.audit import AuditReport, audit_tables, checked_scope
from soniq_sa.cli.audit.shown import document_of, text_of
from soniq_sa.cli.database import on_database
from soniq_sa.cli.exits import FOUND
from soniq_sa.cli.flattened import flattened
from soniq_sa.cli.options import AsJson, new_commands
from soniq_sa.cli.output import write_json
from soniq_sa.cli.place import Place, find_app, require_tables
from soniq_sa.cli.times import duration, moment
from soniq_sa.engines import own_async_engine, shown_url
from soniq_sa.errors import DatabaseUnreachableError, SoniqError
from soniq_sa.link import describe
from soniq_sa.statements.audit.check import Scope

Queue = Annotated[str | None, typer.Option(help="Look at the jobs of this queue only.")]
Since = Annotated[
    str | None,
    typer.Option(
        help="Look at jobs only that were enqueued since 90 (seconds), 15m, 2h, 7d, or an ISO time."
    ),
]
Limit = Annotated[int, typer.Option(min=0, max=10_000, help="How many jobs each check tells of.")]
Patience = Annotated[
    str, typer.Option(help="How long a job may wait for a worker, as 90 (seconds) or 15m.")
]


class AuditInterruptedError(SoniqError):
    """Say why the database did not answer all checks."""


def audit(
    *,
    place: Place,
    queue: Queue = None,
    since: Since = None,
    limit: Limit = 10,
    patience: Patience = "60",
    as_json: AsJson = False,
) -> None:
    """Prove from the tables that every job ran to one recorded end, and nothing is stuck.

    Exits with 0 if no promise is broken, and with 3 otherwise; a warning breaks none. All checks see
    one snapshot. Nothing is written, workers may run, and no code of yours is needed.
    """
    scope = checked_scope(
        queue,
        None if since is None else moment("--since", since),
        duration("--patience", patience),
    )
    soniq, _ = find_app(place)
    models = soniq.models
    on_database(
        soniq, lambda connection: require_tables(connection, *models.tables), takes_url=True
    )
    report = asyncio.run(_audit(soniq, scope, limit))
    if as_json:
        write_json(document_of(report))
    else:
        typer.echo(text_of(report, scope))
    if not report.ok:
        raise typer.Exit(FOUND)


async def _audit(soniq: Soniq, scope: Scope, limit: int) -> AuditReport:
    engine = own_async_engine(soniq.databases.engine)
    try:
        return await audit_tables(engine, soniq.models, scope, limit=limit, on_step=_on_step())
    except (DBAPIError, OSError) as error:
        if isinstance(error, DBAPIError) and not error.connection_invalidated:
            raise AuditInterruptedError(
                f"The database refused: {describe(error)}. An audit reads all of the tables, as the roles "
                "worker and maintainer of soniq-sa grants may."
            ) from error
        raise DatabaseUnreachableError(
            f"{shown_url(engine)} went away during the audit: {describe(error)}. Run it again."
        ) from error
    finally:
        _on_step()("")
        await engine.dispose()
        await soniq.databases.dispose()


def _on_step() -> Callable[[str], None]:
    """Return what shows people the present step, on one line that is cleared by the next."""
    if not sys.stderr.isatty():
        return lambda _: None
    return lambda step: typer.echo(f"\r\x1b[K{step and f'looking at {step} …'}", err=True, nl=False)


commands = new_commands(flattened(audit))
