"""What the annotation of an argument means for its way through JSON."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import AwareDatetime, PlainSerializer, SecretBytes, SecretStr

_AS_STORED: dict[Any, Any] = {
    datetime: AwareDatetime,
    SecretStr: Annotated[SecretStr, PlainSerializer(SecretStr.get_secret_value, return_type=str)],
    SecretBytes: Annotated[
        SecretBytes, PlainSerializer(SecretBytes.get_secret_value, return_type=bytes)
    ],
}


def stored(annotation: Any) -> Any:
    """Return ``annotation`` as it is stored.

    Every ``datetime`` in it needs a time zone, and pydantic's secrets are written with what they hold,
    where pydantic would write stars.
    """
    if isinstance(annotation, type) and annotation in _AS_STORED:
        return _AS_STORED[annotation]
    origin, parts = get_origin(annotation), get_args(annotation)
    if not parts or origin is Literal:
        return annotation
    if origin is Annotated:
        return Annotated[(stored(parts[0]), *parts[1:])]
    if origin in {Union, UnionType}:
        return Union[tuple(stored(part) for part in parts)]  # noqa: UP007 - made at run time
    if origin in _CONTAINERS:
        generic: Any = origin
        return generic[tuple(part if part is ... else stored(part) for part in parts)]
    return annotation


def is_secret(annotation: Any) -> bool:
    """Tell whether a value of this type is, or may be, one of pydantic's secrets."""
    if isinstance(annotation, type):
        return annotation in {SecretStr, SecretBytes}
    return any(map(is_secret, get_args(annotation)))


_CONTAINERS = {list, dict, tuple, set, frozenset}
_EXACT_CONTAINERS = {list, tuple, set, frozenset}
_EXACT_SCALARS = {str, int, float, bool, bytes, NoneType, UUID, Decimal, date, timedelta}


def is_exact(annotation: Any) -> bool:
    """Tell whether every value of this type comes back equal from JSON, without a look at it.

    Not so: keys of a dict, which all become text; times, whose offset is written in whole minutes;
    unions, where two types may look the same.
    """
    if isinstance(annotation, type) and annotation in _EXACT_SCALARS:
        return True
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in {Union, UnionType}:
        members = [part for part in parts if part is not NoneType]
        return len(members) == 1 and is_exact(members[0])
    if origin in _EXACT_CONTAINERS:
        return all(part is ... or is_exact(part) for part in parts)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return all(type(member.value) in {str, int} for member in annotation)
    return False
