"""The command ``soniq-sa``."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version as distribution_version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from soniq_sa.cli.exits import INTERRUPTED, exit_code
from soniq_sa.cli.options import first_line
from soniq_sa.errors import SoniqError
from soniq_sa.lines import each_on_its_line
from soniq_sa.suggestions import did_you_mean

_MODULES = {
    "worker": "soniq_sa.cli.worker",
    "schema": "soniq_sa.cli.schema.group",
    "dead-letter": "soniq_sa.cli.dead_letter.group",
    "grants": "soniq_sa.cli.grants.command",
    "audit": "soniq_sa.cli.audit.command",
    "doctor": "soniq_sa.cli.doctor.command",
    "demo": "soniq_sa.cli.demo.command",
}


class _Commands(TyperGroup):
    """Loads a command when it is asked for: a worker needs neither Alembic nor the demo."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer names it
        return list(_MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _MODULES:
            ctx.fail(f"No such command {cmd_name!r}.{did_you_mean(cmd_name, _MODULES)}")
        command = typer.main.get_command(importlib.import_module(_MODULES[cmd_name]).commands)
        command.name = cmd_name
        command.short_help = first_line(command.help)
        return command


commands = typer.Typer(
    cls=_Commands,
    name="soniq-sa",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
        typer.secho(f"error: {each_on_its_line(str(error))}", fg="red", err=True)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
