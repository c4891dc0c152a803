"""What pydantic found wrong with values, as a sentence that gives away no secret."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import ValidationError

from soniq_sa.masks import MASK
from soniq_sa.redaction import DEFAULT_REDACTION, Redaction

Path = tuple[str | int, ...]

_REMEDIES = {"timezone_aware": ", which has none: write datetime.now(UTC)"}
_OF_USERS = {"value_error", "assertion_error"}
_LONGEST = 60


def described(
    error: ValidationError,
    label: str,
    subject: str,
    *,
    redaction: Redaction = DEFAULT_REDACTION,
    path: Callable[[Path], Path] = lambda found: found[1:],
    with_values: bool = True,
) -> str:
    """Return what pydantic found wrong.

    path: Returns the argument and the place in it; by default without the place in the tuple of one.
    with_values: Show the values that do not fit, but for secret ones; else their types alone.
    """
    problems = "; ".join(
        f"{_place(path(one['loc']))}{_message(one, redaction)}, got "
        f"{_got(one, redaction, with_values=with_values)}{_REMEDIES.get(one['type'], '')}"
        for one in error.errors(include_url=False)
    )
    return f"{subject} do not fit {label}(): {problems}."


def short(value: object, redaction: Redaction, *, secret: bool = False) -> str:
    """Return a value and its type, for an error message."""
    text = MASK if secret else redaction.shown(value)
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    return f"{text} ({type(value).__name__})"


def _place(path: Sequence[str | int]) -> str:
    return f"{'.'.join(map(str, path))!r}: " if path else ""


def _message(problem: object, redaction: Redaction) -> str:
    """Return pydantic's sentence; a validator of the user may have put the value into its own."""
    one: dict[str, object] = problem  # type: ignore[assignment] # a TypedDict of pydantic's
    text = str(one["msg"])
    if one["type"] not in _OF_USERS:
        return text
    if _is_secret(one, redaction):
        return text.replace(str(one.get("input")), MASK)
    return redaction.scrub_of(text, one.get("input"))


def _got(problem: object, redaction: Redaction, *, with_values: bool) -> str:
    one: dict[str, object] = problem  # type: ignore[assignment] # a TypedDict of pydantic's
    value = one.get("input")
    if not with_values:
        return f"a value of type {type(value).__name__}"
    return short(value, redaction, secret=_is_secret(one, redaction))


def _is_secret(problem: dict[str, object], redaction: Redaction) -> bool:
    place: Sequence[object] = problem["loc"]  # type: ignore[assignment] # a tuple
    return redaction.hides_any(place)
