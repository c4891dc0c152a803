"""JSON text that PostgreSQL can store as ``jsonb`` and give back.

Refused are U+0000, lone surrogates, NaN and infinity, cycles, nesting deeper than 64 levels and more
than 1 MiB.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from soniq_sa.errors import SoniqError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def storable_text(values: Any, subject: str, refusal: type[SoniqError]) -> str:
    """Return ``values`` as JSON; raise ``refusal``, naming ``subject``, if it cannot be stored."""
    try:
        text = dump(values)
        written = text.encode()
    except UnicodeEncodeError as error:
        raise refusal(
            f"{subject} hold the lone surrogate {error.object[error.start]!a}, which PostgreSQL cannot "
            "store."
        ) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise refusal(f"{subject} cannot be written as JSON: {error}.") from error
    _check(written, subject, refusal)
    return text


def storable(written: bytes, subject: str, refusal: type[SoniqError]) -> str:
    """Return JSON that is written already; raise ``refusal`` if it cannot be stored.

    It must come from values in which nothing is NaN or infinite. A text that is long enough for a number
    with more digits than Python reads is read once.
    """
    if len(written) > sys.get_int_max_str_digits():
        try:
            json.loads(written)
        except ValueError as error:
            raise refusal(f"{subject} cannot be written as JSON: {error}.") from error
    _check(written, subject, refusal)
    return written.decode()


def _check(written: bytes, subject: str, refusal: type[SoniqError]) -> None:
    size = len(written)
    if size > MAX_BYTES:
        raise refusal(
            f"{subject} take {size:,} bytes as JSON, the limit is "
            f"{MAX_BYTES:,}. Store the value in a table and pass its key."
        )
    if size > MAX_DEPTH:
        brackets = written.count(b"[") + written.count(b"{")
        if brackets > MAX_DEPTH and _is_deeper(json.loads(written), MAX_DEPTH):
            raise refusal(f"{subject} are nested deeper than {MAX_DEPTH} levels.")
    if b"\\u0000" in written and any("\0" in one for one in _texts(json.loads(written))):
        raise refusal(f"{subject} hold U+0000, which PostgreSQL cannot store.")


def dump(values: Any) -> str:
    """Return ``values`` as compact JSON; NaN and infinity are refused with a `ValueError`."""
    return _ENCODER.encode(values)


def as_jsonb(value: Any) -> Any:
    """Return ``value`` as PostgreSQL gives it back: it writes out numbers with an exponent."""
    if isinstance(value, float) and value.is_integer() and "e" in repr(value):
        return int(value)
    if isinstance(value, dict):
        return {key: as_jsonb(one) for key, one in value.items()}
    return [as_jsonb(one) for one in value] if isinstance(value, list) else value


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inner)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
