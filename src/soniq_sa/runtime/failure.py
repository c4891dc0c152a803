"""Turns what a handler raised into what is kept of it."""

from __future__ import annotations

import traceback

from soniq_sa.errors import EntityGoneError, LeaseLostError
from soniq_sa.outcome import LOST, Failed, Outcome
from soniq_sa.runtime.threads import HandlerRaised
from soniq_sa.states import AttemptOutcome, Reason

MAX_ERROR_CHARACTERS = 16_384


class InvalidJob(Exception):  # noqa: N818 - carries an error, is none of its own
    """Say that the stored arguments do not fit the handler, which has not been called."""


def outcome_of(error: BaseException, retry_delay: float) -> Outcome:
    """Return the outcome of a run that raised ``error``."""
    match error:
        case HandlerRaised():
            return outcome_of(error.error, retry_delay)
        case LeaseLostError():
            return LOST
        case InvalidJob():
            return _final(str(error), AttemptOutcome.INVALID_ARGUMENTS, Reason.INVALID_ARGUMENTS)
        case EntityGoneError():
            return _final(str(error), AttemptOutcome.ENTITY_GONE, Reason.ENTITY_GONE)
        case _:
            text = storable("".join(traceback.format_exception(error)))
            return Failed(text, AttemptOutcome.FAILED, Reason.RETRIES_EXHAUSTED, retry_delay)


def timed_out(limit: float, retry_delay: float) -> Failed:
    """Return the outcome of an attempt that took longer than ``limit`` seconds."""
    text = f"The attempt took longer than its timeout of {limit:g} s."
    return Failed(text, AttemptOutcome.TIMED_OUT, Reason.TIMED_OUT, retry_delay)


def _final(text: str, outcome: AttemptOutcome, reason: Reason) -> Failed:
    return Failed(storable(text), outcome, reason, None)


def storable(text: str) -> str:
    """Return ``text`` as PostgreSQL can store it: cut in the middle, without U+0000 and surrogates."""
    if len(text) > MAX_ERROR_CHARACTERS:
        half = MAX_ERROR_CHARACTERS // 2
        text = f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
