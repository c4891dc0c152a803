"""What several commands share: their options, and how they become commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer


def new_commands(*functions: Callable[..., None], **options: Any) -> typer.Typer:
    """Return a command, or a group of several, for `soniq_sa.cli.main` to load."""
    commands = typer.Typer(add_completion=False, rich_markup_mode=None, **options)
    for function in functions:
        commands.command(short_help=first_line(function.__doc__))(function)
    return commands


def first_line(text: str | None) -> str:
    """Return what a list of commands says of one: a whole sentence, where typer would cut it."""
    return (text or "").partition("\n")[0]


def setting(text: str, name: str) -> Any:
    """Return an option that is also a setting."""
    return typer.Option(help=f"{text} [env: SONIQ_SA_{name}]")


App = Annotated[str | None, setting("Where the Soniq is, as shop.jobs:soniq.", "APP")]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
