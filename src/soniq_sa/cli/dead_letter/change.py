"""``soniq-sa dead-letter replay``, ``delete``, ``purge`` and ``tag``: they change something."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import typer

from soniq_sa.cli.asking import ask
from soniq_sa.cli.dead_letter.parameters import (
    DryRun,
    Id,
    Ids,
    Match,
    Most,
    Place,
    moment,
    parsed_ids,
)
from soniq_sa.cli.dead_letter.shown import one_line, some_of, table_of
from soniq_sa.cli.dead_letter.source import with_letters
from soniq_sa.cli.exits import FAILED
from soniq_sa.cli.options import AsJson, Yes
from soniq_sa.cli.output import write_json
from soniq_sa.dead_filter import DeadLetterFilters
from soniq_sa.dead_letters import DeadLetter, DeadLetters
from soniq_sa.dead_letters.desk import not_found
from soniq_sa.errors import JobNotFoundError, OptionError

_PREVIEW = 20


@dataclass(frozen=True, slots=True)
class _Change:
    """What a command does: its verb, how it is done to one letter, and to all that match."""

    verb: str
    done: str
    one: Callable[[DeadLetters, UUID], Awaitable[Any]]
    many: Callable[[DeadLetters, DeadLetterFilters, int | None], Awaitable[int]]


async def _replay_one(desk: DeadLetters, job_id: UUID) -> UUID | None:
    try:
        return await desk.replay(job_id)
    except JobNotFoundError:
        return None


_REPLAY = _Change(
    "replay",
    "replayed",
    _replay_one,
    lambda desk, filters, limit: desk.replay_many(limit=limit, **filters),
)
_DELETE = _Change(
    "delete",
    "deleted",
    lambda desk, job_id: desk.delete(job_id),
    lambda desk, filters, limit: desk.delete(limit=limit, **filters),
)


def replay(
    ids: Ids = None,
    *,
    place: Place,
    match: Match,
    every: Annotated[
        bool, typer.Option("--all", help="All that were not replayed before.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also those that were replayed before.")
    ] = False,
    limit: Most = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make fresh jobs of dead ones.

    Of those with these ids, or of all that match. The dead jobs stay, and count their replays. Asks
    first, unless ids are given.
    """
    filters = match.filters
    wanted = _chosen(ids, filters, every=every or again, limit=limit)
    if wanted:
        _change_each(_REPLAY, place, wanted, dry_run=dry_run, yes=True, as_json=as_json)
        return
    filters.setdefault("replayed", None if again else False)
    _change_all(_REPLAY, place, filters, limit, dry_run=dry_run, yes=yes, as_json=as_json)


def delete(
    ids: Ids = None,
    *,
    place: Place,
    match: Match,
    limit: Most = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters, with their attempts.

    Those with these ids, or all that match. Asks first.
    """
    filters = match.filters
    wanted = _chosen(ids, filters, every=False, limit=limit)
    if wanted:
        _change_each(_DELETE, place, wanted, dry_run=dry_run, yes=yes, as_json=as_json)
    else:
        _change_all(_DELETE, place, filters, limit, dry_run=dry_run, yes=yes, as_json=as_json)


def purge(
    *,
    place: Place,
    older_than: Annotated[
        str, typer.Option(help="Dead for longer than 90 (seconds), 15m, 2h, 30d; or before a time.")
    ],
    limit: Most = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete those that have been dead for long.

    With their attempts. Asks first.
    """
    filters = DeadLetterFilters(before=moment("--older-than", older_than))
    _change_all(_DELETE, place, filters, limit, dry_run=dry_run, yes=yes, as_json=as_json)


def tag(
    job_id: Id,
    tags: Annotated[list[str] | None, typer.Argument(metavar="TAG")] = None,
    *,
    place: Place,
    remove: Annotated[
        list[str] | None, typer.Option(help="A tag to take away; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add tags to a dead letter, or take them away."""
    (wanted,) = parsed_ids([job_id])
    kept = with_letters(place, lambda desk: desk.tag(wanted, *(tags or ()), remove=remove or ()))
    if as_json:
        write_json({"id": str(wanted), "tags": list(kept)})
    else:
        typer.echo(f"{wanted}: {one_line(', '.join(kept)) or 'no tags'}")


def _chosen(
    ids: list[str] | None, filters: DeadLetterFilters, *, every: bool, limit: int | None
) -> list[UUID]:
    if ids and (filters or every or limit is not None):
        raise OptionError("Give the ids of dead letters, or filters and --limit, not both.")
    if not ids and not filters and not every:
        raise OptionError(
            "Which dead letters? Give ids, or filters such as --task and --reason; see --help."
        )
    return parsed_ids(ids)


def _change_each(
    change: _Change, place: Place, wanted: list[UUID], *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Change the letters with these ids; exit with 1 if one of them is not there."""
    if dry_run or not yes:
        letters = with_letters(place, lambda desk: _get_all(desk, wanted))
        if not dry_run and letters:
            ask(table_of(letters), f"{change.verb.capitalize()} {_counted(len(letters))}?")
        if dry_run:
            _show_dry(change, letters, len(letters), as_json=as_json)
            _report_missing(wanted, {one.id for one in letters})
            return
    done: dict[UUID, Any] = {}

    async def work(desk: DeadLetters) -> None:
        for job_id in wanted:
            if result := await change.one(desk, job_id):
                done[job_id] = result
                if not as_json:
                    new = f" as {result}" if isinstance(result, UUID) else ""
                    typer.echo(f"{job_id} {change.done}{new}")

    with_letters(place, work)
    if as_json:
        _write_each(change, wanted, done)
    _report_missing(wanted, set(done))


def _write_each(change: _Change, wanted: list[UUID], done: dict[UUID, Any]) -> None:
    document: dict[str, Any] = {
        change.done: len(done),
        "missing": [str(job_id) for job_id in wanted if job_id not in done],
    }
    if change is _REPLAY:
        document["jobs"] = {str(job_id): str(new) for job_id, new in done.items()}
    write_json(document)


def _report_missing(wanted: list[UUID], found: set[UUID]) -> None:
    missing = [job_id for job_id in wanted if job_id not in found]
    for job_id in missing:
        typer.echo(f"error: {not_found(job_id)}", err=True)
    if missing:
        raise typer.Exit(FAILED)


def _change_all(
    change: _Change,
    place: Place,
    filters: DeadLetterFilters,
    limit: int | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Change all letters that match, up to ``limit``."""
    if dry_run or not yes:
        first, total = with_letters(place, lambda desk: _preview(desk, filters, limit))
        if dry_run:
            _show_dry(change, first, total, as_json=as_json)
            return
        if total:
            ask(some_of(first, total), f"{change.verb.capitalize()} {_counted(total)}?")
    number = with_letters(place, lambda desk: change.many(desk, filters, limit))
    if as_json:
        write_json({change.done: number})
    else:
        typer.echo(f"{_counted(number)} {change.done}.")


async def _preview(
    desk: DeadLetters, filters: DeadLetterFilters, limit: int | None
) -> tuple[list[DeadLetter], int]:
    """Return the first letters that would be touched, and how many would be."""
    most = _PREVIEW if limit is None else min(limit, _PREVIEW)
    first = await desk.list(limit=most, oldest_first=True, **filters)
    total = (await desk.stats(**filters)).total
    return first, total if limit is None else min(limit, total)


async def _get_all(desk: DeadLetters, wanted: list[UUID]) -> list[DeadLetter]:
    found = [await desk.get(job_id) for job_id in wanted]
    return [one for one in found if one is not None]


def _show_dry(change: _Change, first: list[DeadLetter], total: int, *, as_json: bool) -> None:
    if as_json:
        ids = [str(one.id) for one in first]
        write_json({"dry_run": True, f"would_be_{change.done}": total, "first": ids})
        return
    if first:
        typer.echo(some_of(first, total))
    typer.echo(f"{_counted(total)} would be {change.done}. Nothing is changed.")


def _counted(number: int) -> str:
    return "1 dead letter" if number == 1 else f"{number} dead letters"
