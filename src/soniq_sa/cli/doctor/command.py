"""``soniq-sa doctor``."""

from __future__ import annotations

import asyncio

import typer

from soniq_sa.app import Soniq
from soniq_sa.cli.doctor.examination import examination
from soniq_sa.cli.doctor.finding import Finding
from soniq_sa.cli.doctor.patient import connected
from soniq_sa.cli.doctor.shown import document_of, lines_of, sum_of
from soniq_sa.cli.exits import FOUND
from soniq_sa.cli.flattened import flattened
from soniq_sa.cli.options import AsJson, new_commands
from soniq_sa.cli.output import write_json
from soniq_sa.cli.place import Place, find_app, given_app
from soniq_sa.settings import load_settings


def doctor(*, place: Place, as_json: AsJson = False) -> None:
    """Look at the database, its server, the tables and the workers, and say what to do.

    Exits with 0 if there is nothing to do, with 3 if there is a warning or a problem, and with 5 if
    the database does not answer. Nothing is written. Without an app, what needs its tasks is left out.
    """
    soniq, _ = find_app(place)
    url, findings = asyncio.run(_examine(soniq, given_app(place), quiet=as_json))
    if as_json:
        write_json(document_of(url, findings))
    else:
        typer.echo(f"\n{sum_of(findings)}")
    if any(one.needs_action for one in findings):
        raise typer.Exit(FOUND)


async def _examine(soniq: Soniq, app: Soniq | None, *, quiet: bool) -> tuple[str, list[Finding]]:
    findings: list[Finding] = []
    async with connected(soniq, app, load_settings()) as patient:
        async for finding in examination(patient):
            if not quiet:
                typer.echo(lines_of(finding))
            findings.append(finding)
        return patient.url, findings


commands = new_commands(flattened(doctor))
