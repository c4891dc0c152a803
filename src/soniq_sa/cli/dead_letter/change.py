"""``soniq-sa dead-letter replay``, ``delete``, ``purge`` and ``tag``: they change something."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

import typer

from soniq_sa.cli.asking import ask
from soniq_sa.cli.dead_letter.parameters import (
    DryRun,
    Fresh,
    Id,
    Ids,
    LetterPlace,
    Match,
    Most,
    parsed_ids,
)
from soniq_sa.cli.dead_letter.shown import some_of, table_of
from soniq_sa.cli.dead_letter.source import check_fresh, with_letters
from soniq_sa.cli.exits import FAILED
from soniq_sa.cli.options import AsJson, Yes
from soniq_sa.cli.output import write_json
from soniq_sa.cli.times import moment
from soniq_sa.dead_filter import DeadLetterFilters
from soniq_sa.dead_letters import DeadLetter, DeadLetters, ReplayOptions
from soniq_sa.dead_letters.desk import not_found
from soniq_sa.errors import JobNotFoundError, OptionError, ReplayRefusedError
from soniq_sa.lines import one_line

_PREVIEW = 20


@dataclass(frozen=True, slots=True)
class _Change:
    """What a command does: its verb, how it is done to one letter, and to all that match.

    options: Those of the fresh jobs.
    """

    verb: str
    done: str
    one: Callable[[DeadLetters, UUID], Awaitable[Any]]
    many: Callable[[DeadLetters, DeadLetterFilters, int | None], Awaitable[int]]
    options: ReplayOptions | None = None


def _replaying(options: ReplayOptions) -> _Change:
    async def one(desk: DeadLetters, job_id: UUID) -> UUID | None:
        try:
            return await desk.replay(job_id, options=options)
        except JobNotFoundError:
            return None

    async def many(desk: DeadLetters, filters: DeadLetterFilters, limit: int | None) -> int:
        return await desk.replay_many(options=options, limit=limit, **filters)

    return _Change("replay", "replayed", one, many, options)


_DELETE = _Change(
    "delete",
    "deleted",
    lambda desk, job_id: desk.delete(job_id),
    lambda desk, filters, limit: desk.delete(limit=limit, **filters),
)


def replay(
    ids: Ids = None,
    *,
    place: LetterPlace,
    match: Match,
    fresh: Fresh,
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
    if ids and "queue" in filters:
        raise OptionError("--queue is a filter. For the queue of the fresh jobs: --to-queue.")
    wanted = _chosen(ids, filters, every=every or again, limit=limit)
    change = _replaying(fresh.options)
    check_fresh(place, fresh.options)
    if wanted:
        _change_each(change, place, wanted, dry_run=dry_run, yes=True, as_json=as_json)
        return
    filters.setdefault("replayed", None if again else False)
    _change_all(change, place, filters, limit, dry_run=dry_run, yes=yes, as_json=as_json)


def delete(
    ids: Ids = None,
    *,
    place: LetterPlace,
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
    place: LetterPlace,
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
    tags: Annotated[list[str] | None, typer.Argument(metavar="TAG", help="Tags to add.")] = None,
    *,
    place: LetterPlace,
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
    change: _Change,
    place: LetterPlace,
    wanted: list[UUID],
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Change the letters with these ids; exit with 1 if one is not there, or is refused."""
    if dry_run or not yes:
        letters = with_letters(place, lambda desk: _get_all(desk, wanted))
        if dry_run:
            _show_dry(change, letters, len(letters), as_json=as_json)
            _fail_without(_Each(wanted, {one.id: None for one in letters}))
            return
        if letters:
            ask(table_of(letters), f"{change.verb.capitalize()} {_counted(len(letters))}?")
    each = _Each(wanted)
    with_letters(place, lambda desk: _do_each(change, desk, each, quiet=as_json), change.options)
    if as_json:
        _write_each(change, each)
    _fail_without(each)


@dataclass(frozen=True, slots=True)
class _Each:
    """What became of the letters that were asked for by their ids."""

    wanted: list[UUID]
    done: dict[UUID, Any] = field(default_factory=dict)
    refused: list[UUID] = field(default_factory=list)

    @property
    def missing(self) -> list[UUID]:
        return [one for one in self.wanted if one not in self.done and one not in self.refused]


async def _do_each(change: _Change, desk: DeadLetters, each: _Each, *, quiet: bool) -> None:
    for job_id in each.wanted:
        try:
            result = await change.one(desk, job_id)
        except ReplayRefusedError as error:
            each.refused.append(job_id)
            typer.echo(f"error: {one_line(str(error))}", err=True)
            continue
        if result:
            each.done[job_id] = result
            if not quiet:
                new = f" as {result}" if isinstance(result, UUID) else ""
                typer.echo(f"{job_id} {change.done}{new}")


def _write_each(change: _Change, each: _Each) -> None:
    document: dict[str, Any] = {change.done: len(each.done), "missing": _texts(each.missing)}
    if change.options is not None:
        document["jobs"] = {str(job_id): str(new) for job_id, new in each.done.items()}
    if each.refused:
        document["refused"] = _texts(each.refused)
    write_json(document)


def _fail_without(each: _Each) -> None:
    for job_id in each.missing:
        typer.echo(f"error: {not_found(job_id)}", err=True)
    if each.missing or each.refused:
        raise typer.Exit(FAILED)


def _change_all(
    change: _Change,
    place: LetterPlace,
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
    try:
        number = with_letters(place, lambda desk: change.many(desk, filters, limit), change.options)
    except ReplayRefusedError as error:
        if as_json:
            write_json({change.done: error.replayed, "refused": _texts(error.refused)})
        raise
    if as_json:
        write_json({change.done: number})
    else:
        typer.echo(f"{_counted(number)} {change.done}.")


async def _preview(
    desk: DeadLetters, filters: DeadLetterFilters, limit: int | None
) -> tuple[list[DeadLetter], int]:
    """Return the first letters that would be touched, and how many would be."""
    most = _PREVIEW if limit is None else min(limit, _PREVIEW)
    found = await desk.list(limit=most, oldest_first=True, **filters)
    first = list(map(desk.redacted, found))
    total = (await desk.stats(**filters)).total
    return first, total if limit is None else min(limit, total)


async def _get_all(desk: DeadLetters, wanted: list[UUID]) -> list[DeadLetter]:
    found = [await desk.get(job_id) for job_id in wanted]
    return [desk.redacted(one) for one in found if one is not None]


def _show_dry(change: _Change, first: list[DeadLetter], total: int, *, as_json: bool) -> None:
    if as_json:
        ids = [str(one.id) for one in first]
        write_json({"dry_run": True, f"would_be_{change.done}": total, "first": ids})
        return
    if first:
        typer.echo(some_of(first, total))
    typer.echo(f"{_counted(total)} would be {change.done}. Nothing is changed.")


def _texts(ids: Iterable[UUID]) -> list[str]:
    return [str(one) for one in ids]


def _counted(number: int) -> str:
    return "1 dead letter" if number == 1 else f"{number} dead letters"
