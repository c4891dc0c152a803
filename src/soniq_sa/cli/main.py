"""The command ``soniq-sa``.

Exit codes: 0 ok, 1 failed, 2 usage, 4 schema missing or outdated, 5 database unreachable at the start
of a command that does not wait, 130 interrupted.
"""

from __future__ import annotations

import sys
from importlib.metadata import version as distribution_version
from typing import Annotated

import typer

from soniq_sa.cli.demo.command import demo
from soniq_sa.cli.worker import worker
from soniq_sa.errors import (
    ConfigurationError,
    DatabaseUnreachableError,
    SchemaMissingError,
    SoniqError,
)

FAILED, USAGE, SCHEMA, UNREACHABLE, INTERRUPTED = 1, 2, 4, 5, 130

commands = typer.Typer(
    name="soniq-sa",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
commands.command()(worker)
commands.command()(demo)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"soniq-sa {distribution_version('soniq-sa')}")
        raise typer.Exit


@commands.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Background jobs in SQLAlchemy's unit of work."""


def main() -> None:
    """Run the command line."""
    try:
        commands()
    except SoniqError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def exit_code(error: SoniqError) -> int:
    """Return the exit code that tells a script what kind of error it was."""
    match error:
        case ConfigurationError():
            return USAGE
        case SchemaMissingError():
            return SCHEMA
        case DatabaseUnreachableError():
            return UNREACHABLE
        case _:
            return FAILED
