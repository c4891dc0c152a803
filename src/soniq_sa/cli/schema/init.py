"""``soniq-sa schema init``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from soniq_sa.cli.exits import FAILED
from soniq_sa.cli.output import write_json
from soniq_sa.cli.schema.env_change import EnvChange, env_change
from soniq_sa.cli.schema.env_search import USUAL_FOLDER, find_env
from soniq_sa.cli.schema.init_metadata import DEFAULT, parse_place
from soniq_sa.cli.schema.init_project import NewProject, make_project
from soniq_sa.cli.schema.template_folder import find_template

_AUTOGENERATE = 'alembic revision --autogenerate -m "add the tables of soniq-sa"'
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def init(
    directory: Annotated[
        Path | None,
        typer.Argument(
            help="The folder of the migrations, where env.py is or will be.",
            show_default="migrations, or what Alembic's configuration says",
        ),
    ] = None,
    *,
    template: Annotated[
        str | None,
        typer.Option(help="Make a new project: async, sync or pyproject.", show_default="async"),
    ] = None,
    metadata: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:ATTRIBUTE",
            help="Where the metadata of your models is.",
            show_default=DEFAULT,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Change env.py without asking.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write one JSON document, and ask nothing.")
    ] = False,
) -> None:
    """Make an Alembic project with soniq-sa in it, or add soniq-sa to the one that is here.

    An existing env.py gets the plugin in its calls of context.configure: the change is shown as a
    diff, and written after a yes. Exit status: 0 done, or nothing to do; 1 nothing was written, or
    something is left to do by hand.
    """
    place = parse_place(metadata) if metadata is not None else None
    env = None if template is not None else find_env(directory)
    if env is not None:
        _change(env_change(env, place), yes=yes, as_json=as_json)
        return
    project = make_project(
        directory or USUAL_FOLDER,
        find_template(template or "async", "--template"),
        place or parse_place(DEFAULT),
    )
    if as_json:
        write_json(_project_document(project))
    else:
        _tell_project(project)


def _change(change: EnvChange, *, yes: bool, as_json: bool) -> None:
    if not as_json:
        _tell_change(change)
    asking = not yes and not as_json and bool(change.diff) and sys.stdin.isatty()
    written = bool(change.diff) and (
        yes or (asking and typer.confirm("Write it?", default=False, err=True))
    )
    if written:
        change.write()
    if as_json:
        write_json(_change_document(change, written=written))
    else:
        _tell_end(change, written=written, asked=asking)
    if change.by_hand or (change.diff and not written):
        raise typer.Exit(FAILED)


def _tell_change(change: EnvChange) -> None:
    for line in change.diff.splitlines():
        heading = line.startswith(("+++", "---"))
        typer.secho(line, fg=None if heading else _COLOURS.get(line[:1]), color=_colour())
    if change.diff:
        typer.echo()
    for note in change.notes:
        typer.echo(f"Note: {note}")
    for step in change.by_hand:
        typer.echo(f"To do by hand: {step}")


def _tell_end(change: EnvChange, *, written: bool, asked: bool) -> None:
    if written:
        typer.echo(f"Wrote {change.shown_path}.")
        then = "Next, after the notes above" if change.notes or change.by_hand else "Next"
        typer.echo(f"{then}: {_AUTOGENERATE}")
    elif asked:
        typer.echo("Nothing was written.")
    elif change.diff:
        typer.echo("Nothing was written: there is no terminal to ask on. Write it with --yes.")
    elif not change.by_hand:
        typer.echo(f"{change.shown_path} has the plugin of soniq-sa: nothing to change.")


def _tell_project(project: NewProject) -> None:
    typer.echo(f"Made an Alembic project from the template {project.template}:")
    for path in project.created:
        typer.echo(f"  {path.as_posix()}")
    for path in project.appended:
        typer.echo(f"  {path.as_posix()} (added [tool.alembic])")
    typer.echo("\nNext:")
    for number, step in enumerate(_steps(project), 1):
        typer.echo(f"  {number}. {step}")


def _steps(project: NewProject) -> list[str]:
    place = project.metadata
    metadata = ".".join(place.attributes)
    return [
        (
            f"End the module {place.module} with include_tables({metadata}), or correct the line "
            f"metadata in {project.config}"
        ),
        "export DATABASE_URL=postgresql://user:password@localhost:5432/database",
        _AUTOGENERATE,
        "alembic upgrade head",
    ]


def _project_document(project: NewProject) -> dict[str, Any]:
    return {
        "action": "create",
        "directory": str(project.directory),
        "template": project.template,
        "metadata": str(project.metadata),
        "config": str(project.config),
        "created": [str(path) for path in project.created],
        "appended": [str(path) for path in project.appended],
        "written": True,
    }


def _change_document(change: EnvChange, *, written: bool) -> dict[str, Any]:
    return {
        "action": "change",
        "file": change.shown_path,
        "diff": change.diff,
        "written": written,
        "notes": list(change.notes),
        "by_hand": list(change.by_hand),
    }


def _colour() -> bool | None:
    """Return what makes typer leave colours out, if the user asked for that."""
    return False if os.environ.get("NO_COLOR") else None
