"""An error with its traceback as text, without the parameters of SQL statements.

SQLAlchemy writes them into the text of its errors, unless the engine has ``hide_parameters=True``; the
engine of the application may not have it.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from sqlalchemy.exc import StatementError

from soniq_sa.redaction import DEFAULT_REDACTION


def trace_of(error: BaseException) -> str:
    """Return ``error`` with its traceback, for an event."""
    with parameters_hidden(error):
        return DEFAULT_REDACTION.scrub("".join(traceback.format_exception(error)))


def trace_from(error: BaseException, frames: TracebackType | None, longest: int) -> tuple[str, str]:
    """Return what was raised, and all of it with the traceback from ``frames`` on.

    longest: If the error alone has more characters, those that it stems from are left out.
    """
    with parameters_hidden(error):
        only = traceback.format_exception_only(error)
        if sum(map(len, only)) > longest:  # format_exception would indent line by line
            parts = [*traceback.format_tb(frames), *only]
        else:
            parts = traceback.format_exception(type(error), error, frames)
        return only[0], "".join(parts)


@contextmanager
def parameters_hidden(error: BaseException) -> Iterator[None]:
    """Have SQLAlchemy's errors among ``error`` and what it stems from leave out their parameters."""
    shown = [
        one for one in _all_of(error) if isinstance(one, StatementError) and not one.hide_parameters
    ]
    for one in shown:
        one.hide_parameters = True
    try:
        yield
    finally:
        for one in shown:
            one.hide_parameters = False


def _all_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what it stems from, and what it holds; each once."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
