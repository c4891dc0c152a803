"""``soniq-sa dead-letter list``, ``show``, ``stats`` and ``export``: they change nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from soniq_sa.cli.dead_letter.parameters import Id, LetterPlace, Match, ShowSecrets, parsed_ids
from soniq_sa.cli.dead_letter.shown import page_of, stats_text, table_of
from soniq_sa.cli.dead_letter.source import for_people, with_letters
from soniq_sa.cli.options import AsJson
from soniq_sa.cli.output import write_json
from soniq_sa.dead_letters import DeadLetter, DeadLetters
from soniq_sa.dead_letters.desk import not_found
from soniq_sa.dead_letters.export import ExportFormat, document_of, plain
from soniq_sa.errors import JobNotFoundError, OptionError

PageSize = Annotated[int, typer.Option("--limit", min=1, help="How many to show. Default: 50.")]


def list_letters(
    *,
    place: LetterPlace,
    match: Match,
    limit: PageSize = 50,
    show_secrets: ShowSecrets = False,
    as_json: AsJson = False,
) -> None:
    """Show dead letters, the newest first."""
    letters = with_letters(
        place,
        for_people(lambda desk: desk.list(limit=limit, **match.filters), show_secrets=show_secrets),
    )
    if as_json:
        write_json([document_of(one) for one in letters])
    elif letters:
        typer.echo(table_of(letters))
    else:
        typer.echo("There are no such dead letters.")


list_letters.__name__ = "list"


def show(
    job_id: Id, *, place: LetterPlace, show_secrets: ShowSecrets = False, as_json: AsJson = False
) -> None:
    """Show one, with its arguments and error."""
    (wanted,) = parsed_ids([job_id])

    async def get(desk: DeadLetters) -> list[DeadLetter]:
        found = await desk.get(wanted)
        return [] if found is None else [found]

    letters = with_letters(place, for_people(get, show_secrets=show_secrets))
    if not letters:
        raise JobNotFoundError(not_found(wanted))
    (letter,) = letters
    if as_json:
        write_json(document_of(letter))
    else:
        typer.echo(page_of(letter))


def stats(*, place: LetterPlace, match: Match, as_json: AsJson = False) -> None:
    """Count them by reason, task and queue."""
    found = with_letters(place, lambda desk: desk.stats(**match.filters))
    if as_json:
        write_json(plain(asdict(found)))
    else:
        typer.echo(stats_text(found))


def export(
    *,
    place: LetterPlace,
    match: Match,
    form: Annotated[ExportFormat, typer.Option("--format", help="csv or json.")] = "json",
    output: Annotated[
        Path | None, typer.Option(help="The file to write. Default: the standard output.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="How many at most. Default: all.")
    ] = None,
    show_secrets: ShowSecrets = False,
) -> None:
    """Write them as CSV or JSON."""

    async def write(desk: DeadLetters) -> None:
        texts = desk.export(form, limit=limit, show_secrets=show_secrets, **match.filters)
        await _write(texts, output)

    with_letters(place, write)


async def _write(texts: AsyncIterator[str], output: Path | None) -> None:
    """Write text by text; to a file beside ``output``, which takes its place when all is written."""
    if output is None:
        async for text in texts:
            sys.stdout.write(text)
        return
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            async for text in texts:
                file.write(text)
        part.replace(output)
    except OSError as error:
        raise OptionError(f"--output {str(output)!r} cannot be written: {error}.") from error
    finally:
        part.unlink(missing_ok=True)
