"""``soniq-sa grants``: print the SQL of least privilege."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlalchemy import MetaData

from soniq_sa.cli.database import the_app
from soniq_sa.cli.grants.actions import ACTIONS
from soniq_sa.cli.grants.privileges import own_columns, privileges_of
from soniq_sa.cli.grants.roles import (
    DEFAULT_START,
    PURPOSES,
    GrantRole,
    check_start,
    role_name,
)
from soniq_sa.cli.grants.script import Script
from soniq_sa.cli.options import App, AsJson, new_commands
from soniq_sa.cli.output import write_json
from soniq_sa.errors import ConfigurationError, UnknownOptionError
from soniq_sa.models import include_tables
from soniq_sa.models.roles import Models
from soniq_sa.settings import load_settings
from soniq_sa.suggestions import did_you_mean

Role = Annotated[
    list[GrantRole] | None,
    typer.Option(help="The role to print; repeatable. Default: all five."),
]
Start = Annotated[
    str, typer.Option("--role-prefix", help="The start of the names of the roles, before _worker.")
]
ShownColumns = Annotated[
    list[str] | None,
    typer.Option(help="A column of yours that the viewer may see; repeatable. Default: none."),
]


def grants(
    *,
    app: App = None,
    schema: Annotated[
        str | None, typer.Option(help="The schema of the tables, without an app.")
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(help="The start of their names, without an app. Default: soniq_.")
    ] = None,
    role: Role = None,
    role_prefix: Start = DEFAULT_START,
    viewer_column: ShownColumns = None,
    as_json: AsJson = False,
) -> None:
    """Print the SQL that makes database roles of least privilege, and grants them what they need.

    The tables must be there. The roles have no login: grant them to the logins that you have. It may be
    run again at any time, and has to be after a migration. Nothing is executed here.
    """
    start = check_start(role_prefix)
    models = _models(app, schema, prefix)
    shown = _checked_columns(models, viewer_column or [])
    script, wanted = Script(models, start, shown), role or list(GrantRole)
    if as_json:
        write_json(_document(script, wanted))
    else:
        typer.echo(script.written(wanted))


def _models(app: str | None, schema: str | None, prefix: str | None) -> Models:
    described = schema is not None or prefix is not None
    if app and described:
        raise ConfigurationError(
            "--schema and --prefix describe tables without an app; leave out --app."
        )
    if not described and load_settings(app=app).app:
        return the_app(app).models
    metadata = MetaData()
    include_tables(metadata, schema=schema, prefix="soniq_" if prefix is None else prefix)
    return Models(metadata)


def _checked_columns(models: Models, names: list[str]) -> tuple[str, ...]:
    known = [one.name for one in own_columns(models.jobs)]
    for name in names:
        if name not in known:
            raise UnknownOptionError(
                f"--viewer-column {name!r}: {models.jobs.fullname} has no such column of yours."
                f"{did_you_mean(name, known)}"
            )
    return tuple(names)


def _document(script: Script, wanted: list[GrantRole]) -> dict[str, object]:
    return {
        "roles": {
            role.value: {
                "name": role_name(script.start, role),
                "purpose": PURPOSES[role],
                "privileges": [
                    {
                        "privilege": one.verb,
                        "table": one.table.fullname,
                        "columns": list(one.columns) or None,
                    }
                    for one in privileges_of(role, script.models, script.shown)
                ],
            }
            for role in wanted
        },
        "actions": {
            action: {role.value: role in allowed for role in wanted}
            for action, allowed in ACTIONS.items()
        },
        "statements": script.statements(wanted),
    }


commands = new_commands(grants)
