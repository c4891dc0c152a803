"""``soniq.dead_letters``."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar, Unpack
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, scoped_session

from soniq_sa.databases import Databases
from soniq_sa.dead_filter import DeadLetterFilters, check_filters
from soniq_sa.dead_letters.desk import DeadLetterDesk
from soniq_sa.dead_letters.export import ExportFormat, text_of
from soniq_sa.dead_letters.letter import DeadLetter, DeadLetterStats, Page, redacted
from soniq_sa.dead_letters.passage import (
    Passage,
    ReplayPassage,
    delete_filters,
    new_passage,
    new_replay,
    refuse_both,
)
from soniq_sa.dead_letters.refusal import many_refused, one_refused, violation_of
from soniq_sa.dead_letters.replay_options import ReplayOptions, replay_parameters
from soniq_sa.options import Seconds
from soniq_sa.session import AnySession, sync_session
from soniq_sa.task import Tasks
from soniq_sa.transactions import in_transaction

T = TypeVar("T")


class DeadLetters:
    """The jobs of an application that are dead, and what can be done about them.

    Each call is a transaction of its own; one that touches many jobs commits every thousand. With
    ``session=`` (any kind of session) it is part of that session's transaction, and workers are woken
    by its commit. In a program without an event loop: `within`.

    Example::

        for letter in await soniq.dead_letters.list(task="send_invoice", since=timedelta(hours=1)):
            print(letter.id, letter.reason, letter.error)
        await soniq.dead_letters.replay_many(reason="timed out")
    """

    def __init__(self, tasks: Tasks, databases: Databases) -> None:
        self._tasks = tasks
        self._databases = databases

    def within(self, session: Session | scoped_session[Any]) -> DeadLetterDesk:
        """Return the same verbs, without ``await``, in the transaction of a sync session.

        Example::

            with Session.begin() as session:
                soniq.dead_letters.within(session).replay(job_id)
        """
        return DeadLetterDesk(self._tasks, sync_session(session))

    async def list(
        self,
        *,
        limit: int = 50,
        after: DeadLetter | None = None,
        oldest_first: bool = False,
        session: AnySession | None = None,
        **filters: Unpack[DeadLetterFilters],
    ) -> Page:
        """Return the dead letters that match, the newest first.

        limit: The size of the page. Default 50.
        after: The last letter of the page before. Default: the first page.
        filters: See `DeadLetterFilters`.

        Raises `OptionError` and `UnknownOptionError` for a filter that cannot be, as all calls do.
        """
        return await self._run(
            session,
            lambda desk: desk.list(limit=limit, after=after, oldest_first=oldest_first, **filters),
        )

    async def get(self, job_id: UUID, *, session: AnySession | None = None) -> DeadLetter | None:
        """Return the dead letter with that id; None if no dead job has it."""
        return await self._run(session, lambda desk: desk.get(job_id))

    async def replay(
        self,
        job_id: UUID,
        *,
        options: ReplayOptions | None = None,
        session: AnySession | None = None,
    ) -> UUID:
        """Make a fresh job of a dead one, and return its id.

        The fresh job has the task, arguments, queue, priority, retries, timeout, tags, headers and your
        own columns of the dead one, whose id is its ``replay_of``. It is due at once, has no attempts
        behind it, and does not expire. The dead job stays, and counts its replays.

        options: In what the fresh job is to differ; see `ReplayOptions`. Default: in nothing.

        Raises `JobNotFoundError` if no dead job has that id, and `ReplayRefusedError` if the fresh job
        violates a constraint of the job table.

        Example::

            await soniq.dead_letters.replay(letter.id, options={"queue": "slow", "retries": 0})
        """
        work = functools.partial(DeadLetterDesk.replay, job_id=job_id, options=options)
        if session is not None:
            return await self._run(session, work)
        with one_refused(job_id):  # a deferred constraint is looked at by the commit
            return await self._run(None, work)

    async def replay_many(
        self,
        *,
        options: ReplayOptions | None = None,
        limit: int | None = None,
        session: AnySession | None = None,
        **filters: Unpack[DeadLetterFilters],
    ) -> int:
        """Make fresh jobs of the dead ones that match, the oldest first; return how many.

        options: In what the fresh jobs are to differ; see `ReplayOptions`. ``queue=`` beside it is a
            filter. Default: in nothing.
        limit: How many at most. Default: all.
        filters: See `DeadLetterFilters`. Jobs that were replayed before are left out, unless
            ``replayed=None`` (both) or ``replayed=True`` is given: so a call may be repeated.

        Jobs that somebody else replays or deletes at the same moment are left out.

        Raises `ReplayRefusedError` if a fresh job violates a constraint of the job table: after all
        others, which stay, or after a hundred refusals. With ``session=`` at once, and the transaction
        has to be rolled back.

        Example::

            await soniq.dead_letters.replay_many(reason="timed out", options={"queue": "slow"})
        """
        if session is not None:
            work = functools.partial(
                DeadLetterDesk.replay_many, options=options, limit=limit, **filters
            )
            return await self._run(session, work)
        passage = new_replay(filters, limit, replay_parameters(options, self._tasks))
        while not passage.ended:
            await self._replay_some(passage)
        if passage.refused:
            raise many_refused(passage.refused, passage.done, gave_up=passage.gave_up)
        return passage.done

    async def delete(
        self,
        *job_ids: UUID,
        limit: int | None = None,
        session: AnySession | None = None,
        **filters: Unpack[DeadLetterFilters],
    ) -> int:
        """Delete dead letters and what is kept of their attempts; return how many.

        job_ids: Their ids. Else:
        limit: How many at most, the oldest first. Default: all that match.
        filters: See `DeadLetterFilters`; at least one.
        """
        if job_ids:
            refuse_both(filters, limit)
            return await self._run(session, lambda desk: desk.delete(*job_ids))
        passage = new_passage(delete_filters(filters), limit)
        return await self._pass_through(session, passage, DeadLetterDesk.delete_batch)

    async def purge(
        self,
        *,
        older_than: Seconds | datetime,
        limit: int | None = None,
        session: AnySession | None = None,
    ) -> int:
        """Delete the jobs that have been dead for longer than ``older_than``; return how many.

        older_than: Seconds or a timedelta, by the database's clock; or an aware datetime, for those
            that were dead before.
        limit: How many at most, the oldest first. Default: all.
        """
        passage = new_passage(check_filters({"before": older_than}), limit)
        return await self._pass_through(session, passage, DeadLetterDesk.delete_batch)

    async def stats(
        self, *, session: AnySession | None = None, **filters: Unpack[DeadLetterFilters]
    ) -> DeadLetterStats:
        """Return how many dead letters match, since when, and by task, queue and reason."""
        return await self._run(session, lambda desk: desk.stats(**filters))

    async def tag(
        self,
        job_id: UUID,
        *tags: str,
        remove: Iterable[str] = (),
        session: AnySession | None = None,
    ) -> tuple[str, ...]:
        """Add tags to a dead letter, take those in ``remove`` away, and return what it has then.

        Raises `JobNotFoundError` if no dead job has that id, and `OptionError` for more than 20 tags.
        """
        return await self._run(session, lambda desk: desk.tag(job_id, *tags, remove=remove))

    async def export(
        self,
        form: ExportFormat = "json",
        *,
        limit: int | None = None,
        show_secrets: bool = False,
        session: AnySession | None = None,
        **filters: Unpack[DeadLetterFilters],
    ) -> AsyncIterator[str]:
        """Yield the dead letters that match as text, piece by piece, the newest first.

        form: ``"json"`` (the default), one array; or ``"csv"``, with a line of names.
        limit: How many at most. Default: all.
        show_secrets: Also write the values of secret fields; see ``redact`` of `Soniq`. Default False.

        A hundred letters are read at a time. Those that die meanwhile are not in the export.

        Example::

            async for text in soniq.dead_letters.export("csv", queue="billing"):
                sys.stdout.write(text)
        """
        passage = new_passage(check_filters(filters), limit)
        text = text_of(form, await self._run(session, lambda desk: desk.columns))
        letters: Page = []
        yield text.head()
        while not passage.ended:
            last = letters[-1] if letters else None
            letters = await self._run(session, lambda desk: desk.next_page(passage, last))  # noqa: B023 - called at once
            for letter in letters:
                yield text.letter(letter if show_secrets else self.redacted(letter))
        yield text.tail()

    def redacted(self, letter: DeadLetter) -> DeadLetter:
        """Return a dead letter to show to people: secret fields have ``[redacted]`` as their value.

        Example::

            print(soniq.dead_letters.redacted(letter).args)
        """
        return redacted(letter, self._tasks.redaction)

    async def _replay_some(self, passage: ReplayPassage) -> None:
        """Replay a batch in a transaction of its own; a smaller one next if it is refused."""
        try:
            rows = await self._run(None, lambda desk: desk.replay_batch(passage))
        except IntegrityError as error:
            passage.narrow(violation_of(error))
        else:
            passage.advance(rows)

    async def _pass_through(
        self,
        session: AnySession | None,
        passage: Passage,
        step: Callable[[DeadLetterDesk, Passage], None],
    ) -> int:
        """Take step by step, each in a transaction of its own if there is no session."""
        while not passage.ended:
            await self._run(session, lambda desk: step(desk, passage))
        return passage.done

    async def _run(self, session: AnySession | None, work: Callable[[DeadLetterDesk], T]) -> T:
        return await in_transaction(
            self._databases, session, lambda inner: work(DeadLetterDesk(self._tasks, inner))
        )
