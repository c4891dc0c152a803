"""What becomes of a session after a statement of ours has failed before its flush began.

SQLAlchemy rolls a transaction back when its flush fails, and refuses to go on before ``rollback()``. What is
sent in ``before_flush`` is not part of that yet. PostgreSQL makes a ROLLBACK of the COMMIT that follows, and
says nothing: so it is refused here, in the words of SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.orm import Session, SessionTransaction

from soniq_sa.session.notes import existing_notes, notes_of


@contextmanager
def all_or_nothing(session: Session) -> Iterator[None]:
    """Send statements of a flush that has not begun; if one fails, nothing is committed before a rollback.

    That of the savepoint is enough, if there is one.
    """
    done = False
    try:
        yield
        done = True
    finally:
        if not done:
            notes_of(session).failed = session.get_nested_transaction() or session.get_transaction()


@event.listens_for(Session, "before_commit")
def _refuse_commit(session: Session) -> None:
    notes = existing_notes(session)
    if notes is not None and notes.failed is not None:
        raise PendingRollbackError(
            "The jobs of this session could not be written, and nothing of its transaction can be committed. "
            "To begin a new transaction, call Session.rollback() first."
        )


@event.listens_for(Session, "after_transaction_end")
def _forget_failure(session: Session, transaction: SessionTransaction) -> None:
    notes = existing_notes(session)
    if notes is not None and notes.failed is transaction:
        notes.failed = None
