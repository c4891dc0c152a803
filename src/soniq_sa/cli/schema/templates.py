"""``soniq-sa schema templates``."""

from __future__ import annotations

from typing import Annotated

import typer

from soniq_sa.cli.output import write_json
from soniq_sa.cli.schema.template_folder import Template, find_template
from soniq_sa.cli.schema.template_folder import templates as all_templates

_USE = """\
Start a project with one of them:
  soniq-sa schema init --template async
  alembic init -t "$(soniq-sa schema templates --path async)" migrations"""


def templates(
    *,
    path: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Print the folder of this template, and nothing else."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON document.")] = False,
) -> None:
    """List the project templates for Alembic.

    soniq-sa schema init uses them. Alembic's own command takes them by their path:

    alembic init -t "$(soniq-sa schema templates --path async)" migrations
    """
    found = all_templates() if path is None else [find_template(path, "--path")]
    if as_json:
        write_json([_document(template) for template in found])
    elif path is not None:
        typer.echo(found[0].path)
    else:
        for template in found:
            typer.echo(f"{template.name:<10}{template.description}\n{'':<10}{template.path}")
        typer.echo(f"\n{_USE}")


def _document(template: Template) -> dict[str, str]:
    return {
        "name": template.name,
        "description": template.description,
        "path": str(template.path),
    }
