"""What soniq-sa notes in ``session.info`` and beside a job row between enqueue and commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy.orm import Session, SessionTransaction

from soniq_sa.models.mixins import JobMixin
from soniq_sa.options import EnqueueOptions
from soniq_sa.task import TaskRef

if TYPE_CHECKING:
    from soniq_sa.codec import Encoded

_KEY = "soniq_sa"
_ROW_KEY = "_soniq_sa_note"


@dataclass(slots=True, eq=False)
class RowNote:
    """What a job row still lacks: keys of pending entities, a due time, or the rest of its batch."""

    encoded: Encoded
    options: EnqueueOptions
    batch: Batch | None = None


@dataclass(slots=True, eq=False)
class Batch:
    """Jobs that are inserted by one statement; one instance in the session stands for them all."""

    carrier: JobMixin
    task: TaskRef[..., Any]
    ids: list[UUID]
    encoded: list[Encoded]

    @property
    def resolved(self) -> bool:
        """Tell whether every entity in the arguments has its key."""
        return not any(one.unresolved for one in self.encoded)

    def without_first(self) -> Batch:
        """Return the batch behind the row that the carrier itself became."""
        return Batch(self.carrier, self.task, self.ids[1:], self.encoded[1:])

    def check(self, session: Session) -> None:
        """Refuse entities whose rows will not be there when the jobs are."""
        for one in self.encoded:
            one.check(session)

    def resolve(self, session: Session) -> bool:
        """Put in the keys that are known by now, and tell whether that was all."""
        for one in self.encoded:
            if one.unresolved:
                one.resolve(session)
        return self.resolved


@dataclass(slots=True)
class SessionNotes:
    """What a session has to do at its next flush and commit.

    batches: Waiting for a flush. late: Waiting for the end of this flush, as are the rows in
    incomplete. wakeups: What to tell after the commit, by channel. noted: The kinds of jobs that have
    been taken into those. failed: The transaction that has to be rolled back, if any.
    """

    batches: list[Batch] = field(default_factory=list)
    late: list[Batch] = field(default_factory=list)
    incomplete: list[JobMixin] = field(default_factory=list)
    wakeups: dict[str, tuple[Any, set[str]]] = field(default_factory=dict)
    noted: set[tuple[Any, ...]] = field(default_factory=set)
    failed: SessionTransaction | None = None

    def take_wakeups(self) -> dict[str, tuple[Any, set[str]]]:
        """Return what is to be told, and forget it."""
        wakeups, self.wakeups = self.wakeups, {}
        self.noted.clear()
        return wakeups


def notes_of(session: Session) -> SessionNotes:
    """Return the notes of ``session``, made at the first call."""
    notes = session.info.get(_KEY)
    if notes is None:
        notes = session.info[_KEY] = SessionNotes()
    return notes


def existing_notes(session: Session) -> SessionNotes | None:
    """Return the notes of ``session`` if it has any."""
    notes: SessionNotes | None = session.info.get(_KEY)
    return notes


def note_row(job: JobMixin, note: RowNote) -> None:
    """Note what ``job`` still lacks, beside the instance."""
    job.__dict__[_ROW_KEY] = note


def row_note(job: JobMixin) -> RowNote | None:
    """Return what ``job`` still lacks."""
    note: RowNote | None = job.__dict__.get(_ROW_KEY)
    return note


def drop_row_note(job: JobMixin) -> None:
    """Forget what ``job`` lacked."""
    job.__dict__.pop(_ROW_KEY, None)
