"""Turns what a handler raised into what is kept of it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError

from soniq_sa.asks import Ask, Cancel, Discard, Retry, Snooze
from soniq_sa.errors import EntityGoneError, JobTimeoutError, LeaseLostError, OptionError
from soniq_sa.link import describe, sqlstate, without_room
from soniq_sa.masks import cut
from soniq_sa.options import DEFAULT_RETRY_DELAY, check_reason, check_seconds
from soniq_sa.outcome import LOST, RELEASED, Cancelled, Failed, Outcome, Snoozed
from soniq_sa.runtime.jobs import HeldJob
from soniq_sa.runtime.threads import HandlerRaised
from soniq_sa.runtime.trace import trace_from, trace_of
from soniq_sa.states import AttemptOutcome, Reason

End = TypeVar("End", bound=Outcome)

MAX_ERROR_CHARACTERS = 16_384
_OURS = f"{Path(__file__).parent}{os.sep}"

FREE_PASSES = 3
"""How often a lost connection or a conflict consumes no attempt; releases, snoozes and crashes count too."""

_CONFLICTS = ("40001", "40P01")
"""SQLSTATEs: serialization failure, deadlock detected."""
_LIMITS = ("25P03", "25P04")
"""SQLSTATEs: idle-in-transaction timeout, transaction timeout: PostgreSQL closes the connection."""
_LOST_AGAIN = (
    "The session has lost its connection {times} times. If that happens after the same time again and "
    "again, PostgreSQL or a pooler ends it: see idle_in_transaction_session_timeout and "
    "transaction_timeout of the role."
)

PATIENT_PASSES = 10
"""How often, counted in the same way, a job is put off because PostgreSQL lacks room, or connections."""

_LONGEST_WAIT = 10.0


class InvalidJob(Exception):  # noqa: N818 - carries an error, is none of its own
    """Say that the stored arguments do not fit the handler, which has not been called."""


class InvalidResult(Exception):  # noqa: N818 - carries an error, is none of its own
    """Say that what the handler returned cannot be stored."""


class SessionAway(Exception):  # noqa: N818 - carries an error, is none of its own
    """Say that the handler's session got no connection; the handler has not been called.

    without_room: Whether PostgreSQL has no connection, memory or disk left.
    """

    def __init__(self, text: str, *, without_room: bool) -> None:
        super().__init__(text)
        self.without_room = without_room


class DeletionRefused(Exception):  # noqa: N818 - carries an error, is none of its own
    """Say that a job cannot be deleted at its end; its worker marks jobs done from now on."""


def outcome_of(error: BaseException, job: HeldJob) -> Outcome:
    """Return the outcome of a run of ``job`` that raised ``error``, without secrets in its texts."""
    return _without_secrets(_outcome_of(error, job), job)


def outcome_of_ask(ask: Ask, job: HeldJob) -> Failed | Snoozed | Cancelled:
    """Return the outcome of a run whose handler returned or raised ``ask``, without secrets in it."""
    return _without_secrets(_outcome_of_ask(ask, job), job)


def _without_secrets(outcome: End, job: HeldJob) -> End:
    """Take what is secret in the job's arguments and headers out of what is recorded and logged."""

    def scrubbed(text: str) -> str:
        return recordable(text, job)

    if isinstance(outcome, Failed):
        summary, _, _ = scrubbed(outcome.summary).partition("\n")
        return replace(outcome, summary=summary, error=scrubbed(outcome.error))
    if isinstance(outcome, Snoozed | Cancelled) and outcome.reason:
        return replace(outcome, reason=scrubbed(outcome.reason))
    return outcome


def _outcome_of(error: BaseException, job: HeldJob) -> Outcome:  # noqa: PLR0911 - one case a kind of error
    """Return the outcome of a run of ``job`` that raised ``error``.

    A session that lost its connection has written nothing, and that is not the handler's fault: the
    job goes back without an attempt consumed. Only so often, as the handler's own statement may be
    what takes the connection down. The same holds for one that PostgreSQL rolled back for the sake of
    others. Where PostgreSQL lacks room, or has no connection to give, the job waits before it tries again.
    """
    match error:
        case HandlerRaised():
            return _outcome_of(error.error, job)
        case Ask():
            return _outcome_of_ask(error, job)
        case _ if _must_wait(error, job) and _passes(job) <= PATIENT_PASSES:
            wait = min(2.0 ** (_passes(job) - 1), _LONGEST_WAIT)
            return Snoozed(wait, f"the database has no room, or no connection: {describe(error)}")
        case _ if _lost_connection(error, job) or _conflicted(error, job):
            return _passed(error, job)
        case DeletionRefused():
            return RELEASED
        case LeaseLostError():
            return LOST
        case InvalidJob():
            return _final(str(error), AttemptOutcome.INVALID_ARGUMENTS, Reason.INVALID_ARGUMENTS)
        case InvalidResult():
            return _final(str(error), AttemptOutcome.INVALID_RESULT, Reason.INVALID_RESULT)
        case EntityGoneError():
            return _final(str(error), AttemptOutcome.ENTITY_GONE, Reason.ENTITY_GONE)
        case _:
            return _failed(error, job)


def _passed(error: BaseException, job: HeldJob) -> Outcome:
    """Return the outcome of a run that is not to blame; if there were too many of them, it is."""
    if _passes(job) <= FREE_PASSES:
        return RELEASED
    if not _conflicted(error, job):
        error.add_note(_LOST_AGAIN.format(times=_passes(job)))
    return _failed(error, job)


def _outcome_of_ask(ask: Ask, job: HeldJob) -> Failed | Snoozed | Cancelled:
    try:
        return _granted(ask, job)
    except (AttributeError, OptionError) as trouble:  # a subclass, or changed since it was made
        return _failed(trouble, job)


def _granted(ask: Ask, job: HeldJob) -> Failed | Snoozed | Cancelled:
    reason = check_reason(type(ask).__name__, ask.reason)
    match ask:
        case Snooze():
            return Snoozed(check_seconds("Snooze", ask.seconds), reason)
        case Cancel():
            return Cancelled(reason)
        case Discard():
            text = reason or "The handler discarded the job."
            return _final(text, AttemptOutcome.DISCARDED, Reason.DISCARDED)
        case Retry(delay=None):
            return replace(_failed(ask, job), **_retried(reason))
        case Retry():
            delay = check_seconds("Retry", ask.delay)
            return Failed(**_retried(reason), reason=Reason.RETRIES_EXHAUSTED, delay=delay)
        case _:
            return _failed(ask, job)


def failed(error: BaseException, job: HeldJob) -> Failed:
    """Return the outcome of an attempt whose handler raised ``error``, without secrets in its texts."""
    return _without_secrets(_failed(error, job), job)


def _failed(error: BaseException, job: HeldJob) -> Failed:
    frames = _without_ours(error.__traceback__)
    raised, text = trace_from(error, frames, MAX_ERROR_CHARACTERS)
    return _after(
        Failed(
            summary=raised,
            error=text,
            outcome=AttemptOutcome.FAILED,
            reason=Reason.RETRIES_EXHAUSTED,
            delay=None,
        ),
        error,
        job,
    )


def _without_ours(frames: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the first frame of the user's on; all of it if none is the user's."""
    theirs = frames
    while theirs is not None and theirs.tb_frame.f_code.co_filename.startswith(_OURS):
        theirs = theirs.tb_next
    return theirs or frames


def timed_out(limit: float, job: HeldJob) -> Failed:
    """Return the outcome of an attempt that took longer than ``limit`` seconds."""
    text = f"The attempt took longer than its timeout of {limit:g} s."
    ended = Failed(text, text, AttemptOutcome.TIMED_OUT, Reason.TIMED_OUT, None)
    return _without_secrets(_after(ended, JobTimeoutError(text), job), job)


def expired() -> Failed:
    """Return the outcome of a job that was not begun in time."""
    text = "The job was not begun before it expired."
    return Failed(text, text, None, Reason.EXPIRED, None)


def _after(ended: Failed, error: BaseException, job: HeldJob) -> Failed:
    """Return ``ended`` with the delay that the task's options, or its policy, say."""
    try:
        delay = job.retrying.seconds_after(error, job.attempt, asked=isinstance(error, Ask))
    except BaseException as trouble:  # noqa: BLE001 - the border of user code: a policy
        text = trace_of(trouble)
        said = f"{ended.error}\nThe retry policy failed:\n{text}"
        return replace(ended, error=said, delay=DEFAULT_RETRY_DELAY)
    if delay is None:
        return replace(ended, reason=Reason.GAVE_UP)
    return replace(ended, delay=delay)


def _retried(reason: str | None) -> dict[str, Any]:
    text = reason or "The handler asked for another attempt."
    return {"summary": text, "error": text, "outcome": AttemptOutcome.RETRIED}


def _passes(job: HeldJob) -> int:
    """Return how many claims of a job, this one included, have consumed no attempt."""
    return job.claims - job.attempts


def _must_wait(error: BaseException, job: HeldJob) -> bool:
    if isinstance(error, DBAPIError):
        return job.in_session and without_room(error)
    return isinstance(error, SessionAway) and (error.without_room or _passes(job) > 1)


def _lost_connection(error: BaseException, job: HeldJob) -> bool:
    if isinstance(error, DBAPIError):
        lost = error.connection_invalidated and sqlstate(error) not in _LIMITS
        return job.in_session and lost
    return isinstance(error, SessionAway)


def _conflicted(error: BaseException, job: HeldJob) -> bool:
    return job.in_session and isinstance(error, DBAPIError) and sqlstate(error) in _CONFLICTS


def _final(text: str, outcome: AttemptOutcome, reason: Reason) -> Failed:
    return Failed(text, text, outcome, reason, None)


def recordable(text: str, job: HeldJob) -> str:
    """Return ``text`` as it is kept and told: without what is secret in ``job``, and not too long."""
    scrubbed = job.redaction.scrub(text, job.args, job.headers, longest=MAX_ERROR_CHARACTERS)
    return _encodable(scrubbed)


def storable(text: str, limit: int) -> str:
    """Return ``text`` as PostgreSQL can store it: cut in the middle, without U+0000 and surrogates."""
    half = limit // 2
    short = len(text) <= limit
    return _encodable(text if short else cut(text[:half], len(text) - 2 * half, text[-half:]))


def _encodable(text: str) -> str:
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
