"""What can be done about dead letters, inside one session's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Unpack
from uuid import UUID

from sqlalchemy import Column, Executable, Row
from sqlalchemy.engine import Connection
from sqlalchemy.inspection import inspect
from sqlalchemy.orm import Session

from soniq_sa.dead_filter import DeadFilter, DeadLetterFilters, check_filters
from soniq_sa.dead_letters.export import ExportFormat, text_of
from soniq_sa.dead_letters.letter import (
    DeadLetter,
    DeadLetterStats,
    Page,
    letter_of,
    redacted,
    stats_of,
)
from soniq_sa.dead_letters.passage import (
    BATCH,
    Passage,
    Place,
    ReplayPassage,
    delete_filters,
    new_passage,
    new_replay,
    refuse_both,
)
from soniq_sa.dead_letters.refusal import one_refused, some_refused
from soniq_sa.dead_letters.replay_options import ReplayOptions, replay_parameters
from soniq_sa.errors import JobNotFoundError
from soniq_sa.ids import uuid7
from soniq_sa.json_text import dump
from soniq_sa.models.channel import DUE_HINT
from soniq_sa.models.mixins import JobMixin
from soniq_sa.options import Seconds, check_tags, check_whole
from soniq_sa.session import wake_after_commit
from soniq_sa.statements import dead
from soniq_sa.states import JobState
from soniq_sa.task import Tasks

PAGE = 100
"""Letters that are read at a time, for an export."""

_OWN = frozenset(JobMixin.soniq_columns())


class DeadLetterDesk:
    """Dead letters in the transaction of a sync session; ``soniq.dead_letters.within(session)``.

    The same verbs as `DeadLetters`, without ``await``. Nothing is committed here.
    """

    def __init__(self, tasks: Tasks, session: Session) -> None:
        self._tasks = tasks
        self._models = tasks.models
        self._session = session

    def list(
        self,
        *,
        limit: int = 50,
        after: DeadLetter | None = None,
        oldest_first: bool = False,
        **filters: Unpack[DeadLetterFilters],
    ) -> Page:
        """Return a page of dead letters; see `DeadLetters.list`."""
        chosen = check_filters(filters)
        check_whole("limit", limit, 1, 1_000_000)
        return self.page(chosen, limit, after, oldest_first=oldest_first)

    def page(
        self,
        filters: DeadFilter,
        limit: int,
        after: DeadLetter | None = None,
        *,
        oldest_first: bool = False,
    ) -> Page:
        """Return up to ``limit`` dead letters that come behind ``after``."""
        statement = dead.list_dead(
            self._models, filters, oldest_first=oldest_first, following=after is not None
        )
        last = {} if after is None else {"after_time": after.finished_at, "after_id": after.id}
        found = self._execute(statement, page_size=limit, **last).mappings()
        return [letter_of(row, self._columns) for row in found]

    def get(self, job_id: UUID) -> DeadLetter | None:
        """Return a dead letter; see `DeadLetters.get`."""
        row = self._find(job_id)
        return None if row is None else letter_of(row, self._columns)

    def replay(self, job_id: UUID, *, options: ReplayOptions | None = None) -> UUID:
        """Make a fresh job of a dead one; see `DeadLetters.replay`."""
        fresh = replay_parameters(options, self._tasks)
        self._session.flush()
        with one_refused(job_id):
            rows = self._replay(dead.replay_dead(self._models), 1, dead_ids=[job_id], **fresh)
        if not rows:
            raise JobNotFoundError(not_found(job_id))
        new_id: UUID = rows[0].id
        return new_id

    def replay_many(
        self,
        *,
        options: ReplayOptions | None = None,
        limit: int | None = None,
        **filters: Unpack[DeadLetterFilters],
    ) -> int:
        """Make fresh jobs of all dead ones that match; see `DeadLetters.replay_many`."""
        passage = new_replay(filters, limit, replay_parameters(options, self._tasks))
        self._session.flush()
        while not passage.ended:
            with some_refused():
                passage.advance(self.replay_batch(passage))
        return passage.done

    def replay_batch(self, passage: ReplayPassage) -> Sequence[Row[Any]]:
        """Replay the next of a passage, and return the rows; it has not advanced yet."""
        size, following = passage.batch_size, passage.after is not None
        position = self._position(passage, passage.after)
        if size > 1:
            passage.alone = None
            statement = dead.replay_matching(self._models, passage.filters, following=following)
            return self._replay(statement, size, **position, **passage.fresh)
        statement = dead.pick_matching(self._models, passage.filters, following=following)
        picked = self._execute(statement, **position).one_or_none()
        if picked is None:
            return ()
        passage.alone = (picked.finished_at, picked.id)
        one = dead.replay_dead(self._models)
        return self._replay(one, 1, dead_ids=[picked.id], **passage.fresh)

    def delete(
        self, *job_ids: UUID, limit: int | None = None, **filters: Unpack[DeadLetterFilters]
    ) -> int:
        """Delete dead letters; see `DeadLetters.delete`."""
        if job_ids:
            refuse_both(filters, limit)
            return self._delete_ids(job_ids)
        return self._delete_all(new_passage(delete_filters(filters), limit))

    def purge(self, *, older_than: Seconds | datetime, limit: int | None = None) -> int:
        """Delete the dead letters of a certain age; see `DeadLetters.purge`."""
        return self._delete_all(new_passage(check_filters({"before": older_than}), limit))

    def delete_batch(self, passage: Passage) -> None:
        """Delete the next of a passage."""
        rows = self._execute(
            dead.delete_matching(self._models, passage.filters), **self._position(passage)
        ).all()
        passage.count(len(rows))

    def stats(self, **filters: Unpack[DeadLetterFilters]) -> DeadLetterStats:
        """Return the numbers of the dead letters that match; see `DeadLetters.stats`."""
        statement = dead.count_dead(self._models, check_filters(filters))
        return stats_of(self._execute(statement).all())

    def tag(self, job_id: UUID, *tags: str, remove: Iterable[str] = ()) -> tuple[str, ...]:
        """Add tags to a dead letter, and take others away; see `DeadLetters.tag`."""
        removed = set(check_tags(remove))
        row = self._find(job_id, locked=True)
        if row is None:
            raise JobNotFoundError(not_found(job_id))
        before = letter_of(row, self._columns).tags
        kept = check_tags(one for one in dict.fromkeys((*before, *tags)) if one not in removed)
        self._execute(dead.set_dead_tags(self._models), dead_id=job_id, new_tags=dump(list(kept)))
        return kept

    def export(
        self,
        form: ExportFormat = "json",
        *,
        limit: int | None = None,
        show_secrets: bool = False,
        **filters: Unpack[DeadLetterFilters],
    ) -> Iterator[str]:
        """Yield the dead letters that match as text; see `DeadLetters.export`."""
        text, passage = text_of(form, self.columns), new_passage(check_filters(filters), limit)
        last: DeadLetter | None = None
        yield text.head()
        while not passage.ended:
            letters = self.next_page(passage, last)
            for letter in letters:
                yield text.letter(letter if show_secrets else self.redacted(letter))
            last = letters[-1] if letters else None
        yield text.tail()

    def next_page(self, passage: Passage, after: DeadLetter | None) -> Page:
        """Return the next letters of a passage, the newest first."""
        size = min(passage.batch_size, PAGE)
        letters = self.page(passage.filters, size, after)
        passage.count(len(letters))
        passage.ended = len(letters) < size or passage.left == 0
        return letters

    def redacted(self, letter: DeadLetter) -> DeadLetter:
        """Return a dead letter for people, without what is secret in it; see `Soniq`, ``redact``."""
        return redacted(letter, self._tasks.redaction)

    @property
    def columns(self) -> Sequence[str]:
        """Return the names of the columns of the job table that are yours."""
        return [one.name for one in self._columns]

    @property
    def _columns(self) -> Sequence[Column[Any]]:
        return [one for one in self._models.jobs.c if one.name not in _OWN]

    def _find(self, job_id: UUID, *, locked: bool = False) -> Any:
        found = self._execute(dead.find_dead(self._models, locked=locked), dead_id=job_id)
        return found.mappings().one_or_none()

    def _replay(self, statement: Executable, number: int, **parameters: Any) -> Sequence[Row[Any]]:
        new_ids = [uuid7() for _ in range(number)]
        rows: Sequence[Row[Any]] = self._execute(statement, new_ids=new_ids, **parameters).all()
        said = {DUE_HINT if row.state == JobState.SCHEDULED else row.queue for row in rows}
        wake_after_commit(self._session, self._connection.engine, self._models.jobs, said)
        return rows

    def _delete_ids(self, job_ids: tuple[UUID, ...]) -> int:
        deleted = 0
        for start in range(0, len(job_ids), BATCH):
            part = list(job_ids[start : start + BATCH])
            deleted += len(self._execute(dead.delete_dead(self._models), dead_ids=part).all())
        return deleted

    def _delete_all(self, passage: Passage) -> int:
        while not passage.ended:
            self.delete_batch(passage)
        return passage.done

    def _position(self, passage: Passage, after: Place | None = None) -> dict[str, Any]:
        """Return the parameters of a statement that goes on with a passage."""
        if passage.began_at is None:
            passage.began_at = self._execute(dead.database_time()).scalar_one()
        position = {"batch_size": passage.batch_size, "began_at": passage.began_at}
        return (
            position
            if after is None
            else {**position, "after_time": after[0], "after_id": after[1]}
        )

    def _execute(self, statement: Executable, **parameters: Any) -> Any:
        self._session.flush()
        return self._connection.execute(statement, parameters)

    @property
    def _connection(self) -> Connection:
        return self._session.connection(bind_arguments={"mapper": inspect(self._models.Job)})


def not_found(job_id: object) -> str:
    """Return the message for an id that is none of a dead letter."""
    return (
        f"There is no dead letter {job_id}: no job has that id, or it is not dead. "
        "soniq-sa dead-letter list shows what there is."
    )
