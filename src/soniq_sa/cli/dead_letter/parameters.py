"""What the commands about dead letters share: which letters are meant, and which fresh jobs.

The options of each are written once, as a dataclass; see `soniq_sa.cli.flattened`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer

from soniq_sa.cli.place import Place
from soniq_sa.cli.times import duration, moment
from soniq_sa.dead_filter import DeadLetterFilters
from soniq_sa.dead_letters import ReplayOptions
from soniq_sa.errors import OptionError


@dataclass(frozen=True, slots=True)
class LetterPlace(Place):
    """Which database and which tables are meant, and what of them is secret."""

    redact: Annotated[
        list[str] | None,
        typer.Option(help="A field that is secret, beside the usual ones; repeatable."),
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
            options["delay"] = duration("--delay", self.delay)
        return options


Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids of dead jobs.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The id of a dead job.")]
ShowSecrets = Annotated[
    bool, typer.Option("--show-secrets", help="Show the values of secret fields as well.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be touched, and change nothing.")
]
Most = Annotated[
    int | None, typer.Option("--limit", min=1, help="Touch no more than these, the oldest first.")
]


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
