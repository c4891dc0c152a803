"""Turns what a handler raised into what is kept of it."""

from __future__ import annotations

import traceback

from sqlalchemy.exc import DBAPIError

from soniq_sa.errors import EntityGoneError, LeaseLostError
from soniq_sa.outcome import LOST, RELEASED, Failed, Outcome
from soniq_sa.runtime.jobs import HeldJob
from soniq_sa.runtime.threads import HandlerRaised
from soniq_sa.states import AttemptOutcome, Reason

MAX_ERROR_CHARACTERS = 16_384

FREE_PASSES = 3
"""How often a lost connection consumes no attempt; releases and crashes count as well."""


class InvalidJob(Exception):  # noqa: N818 - carries an error, is none of its own
    """Say that the stored arguments do not fit the handler, which has not been called."""


class SessionAway(Exception):  # noqa: N818 - carries an error, is none of its own
    """Say that the handler's session got no connection; the handler has not been called."""


def outcome_of(error: BaseException, job: HeldJob, retry_delay: float) -> Outcome:
    """Return the outcome of a run of ``job`` that raised ``error``.

    A session that lost its connection has written nothing, and that is not the handler's fault: the
    job goes back without an attempt consumed. Only so often, as the handler's own statement may be
    what takes the connection down.
    """
    match error:
        case HandlerRaised():
            return outcome_of(error.error, job, retry_delay)
        case _ if _lost_connection(error, job) and job.claims - job.attempts <= FREE_PASSES:
            return RELEASED
        case LeaseLostError():
            return LOST
        case InvalidJob():
            return _final(str(error), AttemptOutcome.INVALID_ARGUMENTS, Reason.INVALID_ARGUMENTS)
        case EntityGoneError():
            return _final(str(error), AttemptOutcome.ENTITY_GONE, Reason.ENTITY_GONE)
        case _:
            return failed(error, retry_delay)


def failed(error: BaseException, retry_delay: float) -> Failed:
    """Return the outcome of an attempt whose handler raised ``error``."""
    only = traceback.format_exception_only(error)
    if sum(map(len, only)) > MAX_ERROR_CHARACTERS:  # format_exception would indent line by line
        text = "".join([*traceback.format_tb(error.__traceback__), *only])
    else:
        text = "".join(traceback.format_exception(error))
    return Failed(
        summary=only[0].partition("\n")[0],
        error=storable(text),
        outcome=AttemptOutcome.FAILED,
        reason=Reason.RETRIES_EXHAUSTED,
        delay=retry_delay,
    )


def timed_out(limit: float, retry_delay: float) -> Failed:
    """Return the outcome of an attempt that took longer than ``limit`` seconds."""
    text = f"The attempt took longer than its timeout of {limit:g} s."
    return Failed(text, text, AttemptOutcome.TIMED_OUT, Reason.TIMED_OUT, retry_delay)


def _lost_connection(error: BaseException, job: HeldJob) -> bool:
    if isinstance(error, DBAPIError):
        return job.in_session and error.connection_invalidated
    return isinstance(error, SessionAway)


def _final(text: str, outcome: AttemptOutcome, reason: Reason) -> Failed:
    return Failed(text, storable(text), outcome, reason, None)


def storable(text: str) -> str:
    """Return ``text`` as PostgreSQL can store it: cut in the middle, without U+0000 and surrogates."""
    if len(text) > MAX_ERROR_CHARACTERS:
        half = MAX_ERROR_CHARACTERS // 2
        text = f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
