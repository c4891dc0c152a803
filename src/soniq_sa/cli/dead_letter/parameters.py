"""What the commands about dead letters share: which database is meant, which letters, which fresh jobs.

The options of each are written once, as a dataclass; `flattened` makes command-line options of the
fields.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Any, get_type_hints
from uuid import UUID

import typer

from soniq_sa.cli.options import App
from soniq_sa.dead_filter import DeadLetterFilters
from soniq_sa.dead_letters import ReplayOptions
from soniq_sa.errors import OptionError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class Place:
    """Which database and which tables are meant."""

    app: App = None
    database_url: Annotated[
        str | None, typer.Option(help="The database. [env: SONIQ_SA_DATABASE_URL]")
    ] = None
    schema: Annotated[str | None, typer.Option(help="The schema of the tables.")] = None
    prefix: Annotated[
        str | None, typer.Option(help="The start of their names. Default: soniq_.")
    ] = None


@dataclass(frozen=True, slots=True)
class Match:
    """Which letters are meant."""

    task: Annotated[str | None, typer.Option(help="The task name, exactly.")] = None
    queue: Annotated[str | None, typer.Option(help="The queue, exactly.")] = None
    reason: Annotated[str | None, typer.Option(help="Why they are dead, as 'timed out'.")] = None
    error: Annotated[str | None, typer.Option(help="A text in the error, in either case.")] = None
    since: Annotated[
        str | None, typer.Option(help="Dead since 90 (seconds), 15m, 2h, 7d, or an ISO time.")
    ] = None
    before: Annotated[
        str | None, typer.Option(help="Dead for longer than that, or before an ISO time.")
    ] = None
    tag: Annotated[list[str] | None, typer.Option(help="A tag they have; repeatable.")] = None
    replayed: Annotated[
        bool | None, typer.Option("--replayed/--not-replayed", help="Replayed before, or not.")
    ] = None

    @property
    def filters(self) -> DeadLetterFilters:
        """Return the filters that were given."""
        filters = DeadLetterFilters()
        for name in ("task", "queue", "reason", "error"):
            if (text := getattr(self, name)) is not None:
                filters[name] = text
        if self.since is not None:
            filters["since"] = moment("--since", self.since)
        if self.before is not None:
            filters["before"] = moment("--before", self.before)
        if self.tag:
            filters["tags"] = self.tag
        if self.replayed is not None:
            filters["replayed"] = self.replayed
        return filters


@dataclass(frozen=True, slots=True)
class Fresh:
    """In what the jobs that a replay makes differ from the dead ones."""

    to_queue: Annotated[
        str | None, typer.Option(help="The queue of the fresh jobs. Default: the dead one's.")
    ] = None
    priority: Annotated[
        int | None, typer.Option(help="Their priority, 1 to 1000. Default: the dead one's.")
    ] = None
    retries: Annotated[
        int | None, typer.Option(help="Their retries. Default: as many as the dead one's.")
    ] = None
    delay: Annotated[
        str | None,
        typer.Option(help="When they are due: in 90 (seconds), 15m, 2h, 7d. Default: 0."),
    ] = None

    @property
    def options(self) -> ReplayOptions:
        """Return the options that were given."""
        options = ReplayOptions()
        if self.to_queue is not None:
            options["queue"] = self.to_queue
        if self.priority is not None:
            options["priority"] = self.priority
        if self.retries is not None:
            options["retries"] = self.retries
        if self.delay is not None:
            options["delay"] = _duration("--delay", self.delay)
        return options


Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids of dead jobs.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The id of a dead job.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be touched, and change nothing.")
]
Most = Annotated[
    int | None, typer.Option("--limit", min=1, help="Touch no more than these, the oldest first.")
]


def moment(option: str, text: str) -> datetime | float:
    """Return a time, or an age in seconds, that was typed."""
    if (seconds := _seconds(text)) is not None:
        return seconds
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise OptionError(
            f"{option} {text!r} is no time. Write an age as 90 (seconds), 15m, 2h or 7d, or a time as "
            "2026-11-20T09:30:00Z."
        ) from None
    if time.utcoffset() is None:
        raise OptionError(
            f"{option} {text!r} has no time zone. Write it as {text}Z, or {text}+01:00."
        )
    return time


def _duration(option: str, text: str) -> float:
    """Return a number of seconds that was typed."""
    if (seconds := _seconds(text)) is not None:
        return seconds
    raise OptionError(f"{option} {text!r} is no duration. Write it as 90 (seconds), 15m, 2h or 7d.")


def _seconds(text: str) -> float | None:
    number, unit = (text[:-1], text[-1]) if text[-1:] in _SECONDS else (text, "s")
    try:
        return float(number) * _SECONDS[unit]
    except ValueError:
        return None


def parsed_ids(texts: list[str] | None) -> list[UUID]:
    """Return the ids that were typed, each once; refuse what is none."""
    try:
        return [UUID(text) for text in dict.fromkeys(texts or ())]
    except ValueError:
        wrong = next(text for text in texts or () if not _is_id(text))
        raise OptionError(f"{wrong!r} is no id of a job, as 0197f3a0-….") from None


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def flattened(function: Callable[..., None]) -> Callable[..., None]:
    """Return ``function`` with an option for each field of a `Place`, `Match`, `Fresh` that it takes."""
    kinds = {
        name: kind
        for name, kind in get_type_hints(function, include_extras=True).items()
        if kind in {Place, Match, Fresh}
    }

    def command(**given: Any) -> None:
        for name, kind in kinds.items():
            given[name] = kind(**{one.name: given.pop(one.name) for one in fields(kind)})
        function(**given)

    signature = inspect.signature(function, eval_str=True)
    command.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=list(_parameters(signature, kinds))
    )
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    return command


def _parameters(
    signature: inspect.Signature, kinds: dict[str, type[Any]]
) -> Iterator[inspect.Parameter]:
    for name, parameter in signature.parameters.items():
        if name not in kinds:
            yield parameter
            continue
        hints = get_type_hints(kinds[name], include_extras=True)
        for one in fields(kinds[name]):
            yield inspect.Parameter(
                one.name, parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name]
            )
