"""Asking before something is done that cannot be undone."""

from __future__ import annotations

import sys

import typer

from soniq_sa.cli.exits import FAILED


def ask(preview: str, question: str) -> None:
    """Show what would happen and ask; without a yes, or a terminal to ask on, exit with 1."""
    typer.echo(preview, err=True)
    if not sys.stdin.isatty():
        typer.echo("Nothing is done: there is no terminal to ask on. Add --yes.", err=True)
        raise typer.Exit(FAILED)
    if not typer.confirm(question, err=True):
        raise typer.Exit(FAILED)
