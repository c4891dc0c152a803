"""What a schedule must not have done to anybody's jobs: each sentence here is one verdict.

LOST        its COMMIT was acknowledged, and in the end it is not done, nor dead or cancelled with a reason
DUPLICATED  the committed effects of a job with a session are not those of exactly one success
PHANTOM     it exists, ran or had effects, and no COMMIT has brought it
STUCK       nobody works on it, and nobody will
EXITED      a worker ended by itself, or reports an error that is none of a handler's
EARLY       it was started before its time
OVERCOUNTED attempts beyond their limit, or starts without a claim
STOLEN      a worker that was alive, with a live lease and its lock, was taken for dead
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.schedules.app import KINDS
from tests.faults.schedules.history import UNFINISHED, Asked, Enqueued, History, Row, by_job

VERDICTS = ("LOST", "DUPLICATED", "PHANTOM", "STUCK", "EXITED", "EARLY", "OVERCOUNTED", "STOLEN")

MAX_CRASHES = 3
_TOLERANCE = 0.02
"""Seconds by which two clocks may differ after some seconds."""


@dataclass(frozen=True)
class Finding:
    """One thing that must not be; ``job``: its id, "" if it is about something else."""

    verdict: str
    job: str
    text: str


def check(history: History) -> list[Finding]:
    """Return all that is wrong with a history."""
    return list(Checker(history).findings())


class Checker:
    """Goes through a history once for each verdict."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._rows = history.rows
        self._runs = by_job(history.runs)
        self._enqueued = {one.job: one for one in history.enqueued}
        self._cancels = {one.job: one for one in history.asked if one.verb == "cancel"}
        self._children: dict[str, list[Row]] = {}
        for row in self._rows.values():
            if row.parent is not None and row.replay_of is None:
                self._children.setdefault(row.parent, []).append(row)

    def findings(self) -> Iterator[Finding]:
        """Return everything that is wrong."""
        yield from self._lost()
        yield from self._duplicated()
        yield from self._phantoms()
        yield from self._stuck()
        for text in self._history.exits:
            yield Finding("EXITED", "", text)
        yield from self._early()
        yield from self._overcounted()
        if self._history.taken:
            text = f"{self._history.taken} workers were taken for dead in spite of lease and lock"
            yield Finding("STOLEN", "", text)

    def _lost(self) -> Iterator[Finding]:
        for one in self._history.enqueued:
            if one.fate == "committed" and one.job not in self._rows:
                yield Finding("LOST", one.job, f"{one.task}: committed, and not in the table")
        for row in self._rows.values():
            if row.state not in UNFINISHED and (why := self._wrong_end(row)):
                yield Finding("LOST", row.id, f"{row.task}: {why}")
            if row.task == "parent" and row.state == "done" and not self._children.get(row.id):
                yield Finding("LOST", row.id, "parent: done, and its child is not there")

    def _wrong_end(self, row: Row) -> str | None:
        """Return what is wrong with the final state of a job."""
        cancel = self._cancels.get(row.id)
        if cancel is not None and cancel.answer == "cancelled" and row.state != "cancelled":
            return f"was cancelled, and is {row.state}"
        match row.state:
            case "done" if not self._went_through(row):
                return "is done, and no run of it went through"
            case "cancelled" if cancel is None:
                return "is cancelled, and nobody asked for that"
            case "dead" if not self._may_be_dead(row):
                return f"is dead: {row.reason}, after {row.crashes} crashes"
            case _:
                return None

    def _went_through(self, row: Row) -> bool:
        return any(run.how == "end" for run in self._runs.get(row.id, ()))

    @staticmethod
    def _may_be_dead(row: Row) -> bool:
        crashed = row.reason == "crashed worker" and row.crashes >= MAX_CRASHES
        return crashed or (row.reason != "crashed worker" and row.reason in KINDS[row.task].dies_of)

    def _duplicated(self) -> Iterator[Finding]:
        paid = dict.fromkeys(self._history.paid, 0)
        for row in self._rows.values():
            wanted = int(row.state == "done")
            found = self._history.effects.get(row.id, 0)
            if KINDS[row.task].in_session and found != wanted:
                text = f"{row.task}: {row.state}, with {found} effects"
                yield Finding("DUPLICATED", row.id, text)
            if len(self._children.get(row.id, ())) > 1:
                yield Finding("DUPLICATED", row.id, "parent: has several children")
            if row.order is not None:
                paid[row.order] = paid.get(row.order, 0) + wanted
        for order, times in paid.items():
            found = self._history.paid.get(order, 0)
            if found != times:
                text = f"order {order}: paid {found} times, by {times} jobs that are done"
                yield Finding("DUPLICATED", "", text)

    def _phantoms(self) -> Iterator[Finding]:
        for job in self._rows.keys() | self._runs.keys() | self._history.effects.keys():
            if why := self._unwanted(job):
                yield Finding("PHANTOM", job, why)

    def _unwanted(self, job: str) -> str | None:
        """Return why a job should not be there, or not have been."""
        row, known = self._rows.get(job), self._enqueued.get(job)
        if row is not None and row.parent is not None:
            parent = self._rows.get(row.parent)
            done = parent is not None and parent.state == "done"
            return None if done else f"{row.task}: child of a job that is not done"
        if known is None:
            return "nobody has enqueued it"
        if known.fate == "rolled back" or (known.fate == "unknown" and row is None):
            return f"{known.task}: {known.fate}, and is there, ran or had effects"
        return None

    def _stuck(self) -> Iterator[Finding]:
        for row in self._rows.values():
            if row.state == "processing":
                lease = "with" if row.owned else "without"
                text = f"{row.task}: processing by a worker {lease} a live lease, and does not end"
                yield Finding("STUCK", row.id, text)
            elif row.state in UNFINISHED:
                yield Finding("STUCK", row.id, f"{row.task}: {row.state}, and nobody takes it")

    def _early(self) -> Iterator[Finding]:
        for one in self._history.enqueued:
            asked = [ask for ask in self._history.asked if ask.job == one.job]
            for run in self._runs.get(one.job, ()):
                due = _earliest(one, asked, run.start)
                if run.start < due - _TOLERANCE:
                    text = f"{one.task}: started {due - run.start:.3f} s before its time"
                    yield Finding("EARLY", one.job, text)

    def _overcounted(self) -> Iterator[Finding]:
        for row in self._rows.values():
            starts = len(self._runs.get(row.id, ()))
            if row.attempts > row.max_attempts or row.crashes > MAX_CRASHES:
                text = f"{row.task}: {row.attempts} attempts, {row.crashes} crashes"
                yield Finding("OVERCOUNTED", row.id, text)
            claims = row.claims + self._history.forgotten
            if starts > claims or row.attempts > claims:
                text = f"{row.task}: {starts} starts, {row.attempts} attempts, {row.claims} claims"
                yield Finding("OVERCOUNTED", row.id, text)


def _earliest(one: Enqueued, asked: list[Asked], start: float) -> float:
    """Return the earliest moment at which a job may be started, as far as was asked until then."""
    moves = {"reschedule", "run_now", "retry_now"}
    later = [ask.at + ask.delay for ask in asked if ask.verb in moves and ask.at <= start]
    return min([one.at + one.delay, *later])
