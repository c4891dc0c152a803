"""What the checker judges: the operations that somebody noted, and the tables as they are in the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SERVER_CRASHES = frozenset({"restart", "crash backend"})
"""The faults after which PostgreSQL recovers from its log."""

UNFINISHED = frozenset({"scheduled", "queued", "processing"})


@dataclass(frozen=True)
class Enqueued:
    """A job of a producer; ``fate``: ``committed``, ``rolled back`` or ``unknown``."""

    job: str
    task: str
    at: float
    fate: str = "committed"
    delay: float = 0.0


@dataclass(frozen=True)
class Run:
    """A start of a handler; ``how``: ``end`` if it went through, ``left`` by an error, None if neither."""

    job: str
    process: int
    start: float
    end: float | None = None
    how: str | None = None


@dataclass(frozen=True)
class Asked:
    """Something asked of a job from outside; ``answer``: the state then, "" if there was no answer."""

    verb: str
    job: str
    at: float
    delay: float = 0.0
    answer: str | None = ""


@dataclass(frozen=True)
class Row:
    """A job in the table.

    parent: The job that has enqueued it in its own session. order: The order that it pays.
    replay_of: The dead job that it repeats, with the arguments of that.
    owned: Whether the worker that has it has a live lease.
    """

    id: str
    task: str
    state: str
    reason: str | None = None
    attempts: int = 1
    max_attempts: int = 21
    claims: int = 1
    crashes: int = 0
    parent: str | None = None
    order: int | None = None
    replay_of: str | None = None
    owned: bool = False


@dataclass(frozen=True)
class History:
    """All of it.

    paid: How often each order was paid. taken: How many living workers were taken for dead.
    killed: The processes that got a SIGKILL, and when.
    forgotten: How often the server crashed. A claim does not wait for the disk, so each crash may have
        forgotten one claim of a job, and its number with it.
    """

    enqueued: Sequence[Enqueued] = ()
    runs: Sequence[Run] = ()
    asked: Sequence[Asked] = ()
    rows: Mapping[str, Row] = field(default_factory=dict)
    effects: Mapping[str, int] = field(default_factory=dict)
    paid: Mapping[int, int] = field(default_factory=dict)
    taken: int = 0
    exits: Sequence[str] = ()
    killed: Sequence[tuple[int, float]] = ()
    forgotten: int = 0

    def recoveries(self) -> list[float]:
        """Return the seconds from each SIGKILL until each job that ran there was started again."""
        runs = by_job(self.runs)
        found = []
        for process, at in self.killed:
            for run in self.runs:
                if run.process == process and run.start < at and run.end is None:
                    later = [one.start for one in runs[run.job] if one.start > at]
                    found += [min(later) - at] if later else []
        return found


def by_job(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Return the runs of each job."""
    found: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        found[run.job].append(run)
    return found


def operations(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the journal tells, as the fields of a `History`."""
    fates = {line["batch"]: line["fate"] for line in lines if line["what"] == "fate"}
    return {
        "enqueued": [
            Enqueued(
                job["id"],
                job["task"],
                line["at"],
                fates.get(line["batch"], "unknown"),
                job["delay"],
            )
            for line in lines
            if line["what"] == "enqueue"
            for job in line["jobs"]
        ],
        "runs": _runs(lines),
        "asked": _asked(lines),
        "killed": [(line["worker"], line["at"]) for line in lines if line["what"] == "killed"],
        "forgotten": sum(
            line["what"] == "fault begins" and line["kind"] in SERVER_CRASHES for line in lines
        ),
    }


def _runs(lines: Sequence[Mapping[str, Any]]) -> list[Run]:
    ends = {line["run"]: line for line in lines if line["what"] in {"end", "left"}}
    found = []
    for line in lines:
        if line["what"] == "start":
            end = ends.get(line["run"], {})
            run = Run(line["job"], line["process"], line["at"], end.get("at"), end.get("what"))
            found.append(run)
    return found


def _asked(lines: Sequence[Mapping[str, Any]]) -> list[Asked]:
    found = []
    for number, line in enumerate(lines):
        if line["what"] == "ask":
            same = (
                one
                for one in lines[number:]
                if one["what"] in {"ask", "answer"} and one is not line
            )
            after = next(same, {})
            answer = after["answer"] if after.get("what") == "answer" else ""
            found.append(Asked(line["verb"], line["job"], line["at"], line["delay"], answer))
    return found
