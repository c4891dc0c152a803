"""Jobs inside the application's unit of work.

A job is an ORM instance in ``session.new``, so that rollback, savepoints, ``close()``, autoflush and
two-phase commit need no bookkeeping here. What is left are the keys that nobody knows yet:

    enqueue       check and encode the arguments; a pending entity leaves a gap
    before_flush  batches of ``enqueue_many`` are inserted with one statement
    before_insert the row of the entity may be inserted already: fill the gap, no extra statement
    after_flush   one UPDATE per job table fills the other gaps, and sets due times by the database's
                  clock; a gap that is still open raises, and the flush is rolled back
    after_commit  wake the workers, on another connection (see ``wakeup``)

The unit of work orders unrelated mappers by the names of their classes, so ``before_insert`` alone
would be luck. The batch is in the session as one instance, its carrier: whatever takes the carrier
out of the session (a rollback, a savepoint, ``close()``) takes the batch with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Table, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.inspection import inspect
from sqlalchemy.orm import Mapper, Session, SessionTransaction, object_session
from sqlalchemy.orm.attributes import set_attribute, set_committed_value

from soniq_sa.engines import is_postgresql
from soniq_sa.errors import EntityReferenceError
from soniq_sa.json_text import dump
from soniq_sa.models.channel import DUE_HINT, channel_of, ends_channel_of
from soniq_sa.models.mixins import JobMixin
from soniq_sa.models.roles import options_of
from soniq_sa.options import DEFAULT_QUEUE, EnqueueOptions, plain_columns
from soniq_sa.session.failing import all_or_nothing
from soniq_sa.session.notes import (
    Batch,
    RowNote,
    SessionNotes,
    drop_row_note,
    existing_notes,
    notes_of,
    row_note,
)
from soniq_sa.session.wakeup import wake
from soniq_sa.statements.enqueue import (
    complete_job_rows,
    complete_jobs,
    insert_job_rows,
    insert_jobs,
)
from soniq_sa.states import JobState


@event.listens_for(Session, "before_flush")
def _insert_batches(session: Session, _context: Any, _instances: Any) -> None:
    notes = existing_notes(session)
    if notes is None:
        return
    notes.late, notes.incomplete = [], []
    if notes.batches:
        batches, notes.batches = notes.batches, []
        with all_or_nothing(session):
            _place_batches(session, notes, batches)


def _place_batches(session: Session, notes: SessionNotes, batches: list[Batch]) -> None:
    for batch in batches:
        state = inspect(batch.carrier)
        if not state.pending or state.session is not session:
            continue
        session.expunge(batch.carrier)
        batch.check(session)
        if batch.resolve(session):
            _insert_batch(session, batch)
        else:
            _refuse_hopeless(session, batch)
            notes.late.append(batch)


@event.listens_for(JobMixin, "before_insert", propagate=True)
def _complete_early(_mapper: Mapper[Any], connection: Connection, job: JobMixin) -> None:
    session = object_session(job)
    if session is None:
        return
    notes = notes_of(session)
    note = row_note(job)
    if note is None:
        table = inspect(job).mapper.local_table
        _note_wakeup(notes, connection.engine, table, job.queue or DEFAULT_QUEUE, job.state)
        return
    note.encoded.check(session)
    if note.encoded.unresolved:
        note.encoded.resolve(session)
        set_attribute(job, "args", note.encoded.values)
    if note.batch in notes.batches:
        notes.batches.remove(note.batch)
        notes.late.append(note.batch.without_first())
    if note.options.timed and not is_postgresql(connection):
        _set_times(job, note.options)
    notes.incomplete.append(job)


@event.listens_for(Session, "after_flush")
def _complete_late(session: Session, _context: Any) -> None:
    notes = existing_notes(session)
    if notes is None:
        return
    incomplete, notes.incomplete = notes.incomplete, []
    late, notes.late = notes.late, []
    for batch in late:
        if not batch.resolve(session):
            raise EntityReferenceError(_never_inserted(batch.encoded))
        _insert_batch(session, batch)
    _complete_rows(session, incomplete)


@event.listens_for(Session, "after_commit")
def _wake_workers(session: Session) -> None:
    notes = existing_notes(session)
    if notes is None or not notes.wakeups or session.in_nested_transaction():
        return
    for channel, (engine, queues) in notes.take_wakeups().items():
        wake(engine, channel, queues)


@event.listens_for(Session, "after_transaction_end")
def _forget_wakeups(session: Session, transaction: SessionTransaction) -> None:
    """Say nothing of what was rolled back; after a commit there is nothing left to say."""
    notes = existing_notes(session)
    if notes is not None and transaction.parent is None:
        notes.take_wakeups()


def wake_after_commit(
    session: Session, engine: Engine, jobs: Table, queues: Iterable[str], *, inserted: bool = True
) -> None:
    """Have the workers told of ``queues`` once ``session`` commits.

    inserted: The jobs are new rows, of which the trigger, if there is one, tells by itself.
    """
    notes = notes_of(session)
    for queue in queues:
        _note_wakeup(notes, engine, jobs, queue, JobState.QUEUED, inserted=inserted)


def say_ends_after_commit(
    session: Session, engine: Engine, jobs: Table, ids: Iterable[UUID]
) -> None:
    """Have those who wait for jobs told that these have ended, once ``session`` commits."""
    if is_postgresql(engine):
        _, said = notes_of(session).wakeups.setdefault(ends_channel_of(jobs), (engine, set()))
        said.update(one.hex for one in ids)


class _Row(NamedTuple):
    """An inserted job; ``patched`` if its arguments got a key since."""

    job: JobMixin
    note: RowNote
    patched: bool


def _complete_rows(session: Session, jobs: list[JobMixin]) -> None:
    by_mapper: dict[Mapper[Any], list[_Row]] = defaultdict(list)
    for job in jobs:
        note = row_note(job)
        drop_row_note(job)
        if note is None:
            continue
        patched = bool(note.encoded.unresolved)
        if patched:
            note.encoded.resolve(session)
        if note.encoded.unresolved:
            raise EntityReferenceError(_never_inserted([note.encoded]))
        by_mapper[inspect(job).mapper].append(_Row(job, note, patched))
    for mapper, rows in by_mapper.items():
        _complete_table(session, mapper, rows)


def _complete_table(session: Session, mapper: Mapper[Any], rows: list[_Row]) -> None:
    connection = session.connection(bind_arguments={"mapper": mapper})
    table: Any = mapper.local_table
    if not is_postgresql(connection):
        changed = [
            {"job_id": row.job.id, "new_args": row.note.encoded.values}
            for row in rows
            if row.patched
        ]
        if changed:
            connection.execute(complete_job_rows(table), changed)
    elif needed := [row for row in rows if row.patched or row.note.options.timed]:
        _complete_on_postgresql(connection, table, needed)
    notes = notes_of(session)
    for job, note, patched in rows:
        if patched:
            set_committed_value(job, "args", note.encoded.values)
        deferred = note.options.deferred
        state = job.state if deferred else JobState.QUEUED
        inserted = not deferred or state == JobState.SCHEDULED
        _note_wakeup(notes, connection.engine, table, note.options.queue, state, inserted=inserted)


def _complete_on_postgresql(connection: Connection, table: Table, rows: list[_Row]) -> None:
    with_args = any(row.patched for row in rows)
    texts = {"new_args": [_args_of(row) for row in rows]} if with_args else {}
    found = connection.execute(
        complete_jobs(table, with_args=with_args),
        {
            "ids": [row.job.id for row in rows],
            **texts,
            "due_at": [row.note.options.run_at for row in rows],
            "delay": [row.note.options.delay for row in rows],
            "lifetime": [row.note.options.expires_in for row in rows],
        },
    )
    written = {row.id: row for row in found}
    for row in rows:
        set_committed_value(row.job, "run_at", written[row.job.id].run_at)
        set_committed_value(row.job, "state", written[row.job.id].state)


def _args_of(row: _Row) -> str:
    """Return the arguments of a job as they are to be; not read back, so that nobody has to be allowed."""
    return row.note.encoded.text if row.patched else dump(row.job.args)


def _insert_batch(session: Session, batch: Batch) -> None:
    mapper = inspect(type(batch.carrier))
    connection = session.connection(bind_arguments={"mapper": mapper})
    options = batch.task.defaults
    others = _other_columns(mapper, options)
    if is_postgresql(connection):
        when = {"due_at": options.run_at, "delay": options.delay} if options.deferred else {}
        connection.execute(
            insert_jobs(mapper.local_table, deferred=options.deferred, others=others),
            {
                "task_name": batch.task.name,
                "queue_name": options.queue,
                "job_priority": options.priority,
                "attempt_limit": options.max_attempts,
                "ids": batch.ids,
                "new_args": [one.text for one in batch.encoded],
                "lifetime": options.expires_in,
                **when,
            },
        )
    else:
        connection.execute(insert_job_rows(mapper.local_table), _plain_rows(batch, others))
    for state in (JobState.QUEUED, JobState.SCHEDULED) if options.deferred else (JobState.QUEUED,):
        _note_wakeup(notes_of(session), connection.engine, mapper.local_table, options.queue, state)


def _other_columns(mapper: Mapper[Any], options: EnqueueOptions) -> dict[str, Any]:
    """Return values of further columns, by the names of the columns."""
    plain = {name: value for name, value in plain_columns(options).items() if value is not None}
    values = {**plain, **options.columns}
    return {mapper.columns[name].name: value for name, value in values.items()}


def _plain_rows(batch: Batch, others: dict[str, Any]) -> list[dict[str, Any]]:
    options = batch.task.defaults
    state, run_at, expires_at = _times(options)
    common = {
        "task": batch.task.name,
        "queue": options.queue,
        "priority": options.priority,
        "max_attempts": options.max_attempts,
        "state": state,
        "expires_at": expires_at,
        **others,
    } | ({"run_at": run_at} if options.deferred else {})
    rows = zip(batch.ids, batch.encoded, strict=True)
    return [{"id": job_id, "args": one.values, **common} for job_id, one in rows]


def _note_wakeup(
    notes: SessionNotes,
    engine: Engine,
    table: Any,
    queue: str,
    state: str,
    *,
    inserted: bool = True,
) -> None:
    """Note whom to wake; ``inserted``: the row went in like this, so the trigger, if any, has seen it."""
    kind = (engine, table, queue, state, inserted)
    if kind in notes.noted:
        return
    notes.noted.add(kind)
    if not is_postgresql(engine):
        return
    if inserted and options_of(table.metadata).notify == "trigger":
        return
    _, queues = notes.wakeups.setdefault(channel_of(table), (engine, set()))
    queues.add(DUE_HINT if state == JobState.SCHEDULED else queue)


def _set_times(job: JobMixin, options: EnqueueOptions) -> None:
    for name, value in zip(("state", "run_at", "expires_at"), _times(options), strict=True):
        set_attribute(job, name, value)


def _times(options: EnqueueOptions) -> tuple[str, datetime, datetime | None]:
    """Return state, due time and end by this machine's clock: for databases that live on it."""
    now = datetime.now(UTC)
    run_at = options.run_at or now + timedelta(seconds=options.delay or 0)
    lifetime = options.expires_in
    expires_at = None if lifetime is None else now + timedelta(seconds=lifetime)
    return (JobState.SCHEDULED if run_at > now else JobState.QUEUED).value, run_at, expires_at


def _refuse_hopeless(session: Session, batch: Batch) -> None:
    """Refuse at once what no flush will insert; the flush may have nothing else to do."""
    for one in batch.encoded:
        for unresolved in one.unresolved:
            if not unresolved.reference.awaits_flush_of(session):
                raise EntityReferenceError(_never_inserted(batch.encoded))


def _never_inserted(encoded: list[Any]) -> str:
    reference = next(one.unresolved[0].reference for one in encoded if one.unresolved)
    return (
        f"{reference} is an argument of a job and was not inserted by this flush. "
        "Add it to the session: session.add(...)."
    )
