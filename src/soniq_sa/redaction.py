"""Which fields are secret, and what is shown instead of them.

A field is secret if its name holds one of the usual words, whatever its case and without ``_`` and
``-``: ``password``, ``apiKey``, ``Set-Cookie``, ``new_password_2``. Names that an application adds are
taken whole. What is stored is never changed: only what is shown, logged, recorded or exported.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any

from soniq_sa.errors import OptionError
from soniq_sa.masks import MASK, without, without_passwords, without_values
from soniq_sa.options import shown

WORDS = (
    "password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "accesskey", "privatekey",
    "signingkey", "authorization", "cookie", "credential", "creditcard", "cardnumber", "cvv", "cvc",
)  # fmt: skip
"""A name that holds one of these, without regard to case, ``_`` and ``-``, is that of a secret."""

_SHORTEST_TEXT, _SHORTEST_NUMBER, _SHORTEST_WORD = 4, 6, 10
_DEEPEST_SHOWN = 12


class Redaction:
    """What one application keeps from being shown."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Prepare; ``names`` are secret beside those with one of the usual `WORDS`."""
        self._names: set[str] = set()
        if isinstance(names, str):
            raise OptionError(
                f"redact={names!r}: it takes a list of field names, as redact=[{names!r}]."
            )
        self.add(*names)

    def add(self, *names: object) -> None:
        """Make more names secret."""
        for name in names:
            if not isinstance(name, str) or not _compact(name):
                raise OptionError(f"redact holds {shown(name)}. It takes names of fields.")
            self._names.add(_compact(name))

    def hides(self, name: object) -> bool:
        """Tell whether a field of that name is secret."""
        if not isinstance(name, str):
            return False
        compact = _compact(name)
        return compact in self._names or _has_word(compact)

    def hides_any(self, path: Iterable[object]) -> bool:
        """Tell whether a place in nested values lies in a secret field."""
        return any(map(self.hides, path))

    def json(self, value: Any) -> Any:
        """Return JSON values with `MASK` in place of what is secret, at any depth."""
        try:
            return self._json(value)
        except RecursionError:
            return MASK

    def _json(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: MASK if self.hides(name) and one is not None else self._json(one)
                for name, one in value.items()
            }
        if isinstance(value, list):
            return list(map(self._json, value))
        return without_passwords(value) if isinstance(value, str) else value

    def shown(self, value: object) -> str:
        """Return ``value`` for an error message, without what is secret in it."""
        return without_passwords(shown(self._visible(value, _DEEPEST_SHOWN)))

    def _visible(self, value: Any, levels: int) -> Any:  # noqa: PLR0911 - one case a kind of value
        """Return something whose repr() is that of ``value`` without secrets."""

        def inner(one: Any) -> Any:
            return self._visible(one, levels - 1)

        if levels == 0:
            return _Written("…")
        if isinstance(value, Mapping):
            return {name: self._field(name, one, inner) for name, one in value.items()}
        if named := _fields_of(value):
            written = ", ".join(
                f"{name}={self._field(name, one, inner)!r}" for name, one in named.items()
            )
            return _Written(f"{type(value).__name__}({written})")
        match value:
            case list():
                return list(map(inner, value))
            case tuple():
                return tuple(map(inner, value))
            case set() | frozenset():
                return (
                    _Written(f"{{{', '.join(map(repr, map(inner, value)))}}}") if value else value
                )
            case _:
                return value

    def _field(self, name: object, value: Any, inner: Callable[[Any], Any]) -> Any:
        return _Written(MASK) if self.hides(name) else inner(value)

    def scrub(self, text: str, *documents: str | None, longest: int | None = None) -> str:
        """Return ``text`` without the secrets that stand in JSON ``documents``, passwords and rows.

        longest: The most characters. A longer text is cut in the middle; of a secret that stands there
        no part is left. Default: as many as it has.
        """
        found = {secret for one in documents if one for secret in self._secrets_of(one)}
        return without_values(text, found, self.hides, longest)

    def scrub_of(self, text: str, value: object) -> str:
        """Return ``text`` without the secrets that stand in ``value``."""
        return without(text, set(self._secrets(value, hidden=False)))

    def _secrets_of(self, document: str) -> Iterator[str]:
        with suppress(ValueError, RecursionError):
            for secret in self._secrets(json.loads(document), hidden=False):
                yield secret
                yield repr(secret)[1:-1]
                yield json.dumps(secret)[1:-1]

    def _secrets(self, value: Any, *, hidden: bool) -> Iterator[str]:
        match value:
            case dict():
                for name, one in value.items():
                    yield from self._secrets(one, hidden=hidden or self.hides(name))
            case list():
                for one in value:
                    yield from self._secrets(one, hidden=hidden)
            case _ if named := _fields_of(value):
                yield from self._secrets(named, hidden=hidden)
            case str() if hidden and len(value) >= _SHORTEST_TEXT:
                yield value  # and of "Bearer abc..." the second word by itself
                yield from (word for word in value.split() if len(word) >= _SHORTEST_WORD)
            case int() | float() if hidden and len(str(value)) >= _SHORTEST_NUMBER:
                yield str(value)
            case _:
                pass


class _Written:
    """Something that is written as its text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _fields_of(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass, a named tuple or a pydantic model; of others nothing."""
    if isinstance(value, type):
        return {}
    if isinstance(value, tuple):
        return dict(zip(getattr(value, "_fields", ()), value, strict=False))
    if is_dataclass(value):
        names = [one.name for one in fields(value) if one.repr]
    else:
        names = list(getattr(type(value), "model_fields", ()))
    return {name: getattr(value, name, None) for name in names}


@functools.lru_cache(4096)
def _has_word(compact: str) -> bool:
    return any(word in compact for word in WORDS)


@functools.lru_cache(4096)
def _compact(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


DEFAULT_REDACTION = Redaction()
"""Where no application says more."""
