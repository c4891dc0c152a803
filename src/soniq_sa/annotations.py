"""What the annotation of an argument means for its way through JSON."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import AwareDatetime


def aware(annotation: Any) -> Any:
    """Return ``annotation`` with every ``datetime`` in it made one that needs a time zone."""
    if annotation is datetime:
        return AwareDatetime
    origin, parts = get_origin(annotation), get_args(annotation)
    if not parts or origin is Literal:
        return annotation
    if origin is Annotated:
        return Annotated[(aware(parts[0]), *parts[1:])]
    if origin in {Union, UnionType}:
        return Union[tuple(aware(part) for part in parts)]  # noqa: UP007 - made at run time
    if origin in _CONTAINERS:
        generic: Any = origin
        return generic[tuple(part if part is ... else aware(part) for part in parts)]
    return annotation


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
