"""The table of the settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo
from soniq_sa.cli.worker import worker
from soniq_sa.options import MAX_SECONDS
from soniq_sa.settings import Settings

from docs.src.reference.docstring import read_docstring
from docs.src.reference.options import split_default, table

_UNITS = {float: "seconds", int: "whole number"}


def settings_table() -> str:
    """Return the settings with what each takes, its default, and what it means."""
    entries = read_docstring(Settings).entries
    rows = [
        _row(name, field, entries.get(name, "")) for name, field in Settings.model_fields.items()
    ]
    return table(["setting", "flag of `worker`", "takes", "default", "meaning"], rows)


def _row(name: str, field: FieldInfo, meaning: str) -> list[str]:
    default, meaning = split_default(meaning)
    if field.default is not None:
        default = f"`{field.default}`" if isinstance(field.default, str) else _number(field.default)
    return [
        f"`SONIQ_SA_{name.upper()}`",
        f"`--{name.replace('_', '-')}`" if name in worker.__annotations__ else "",
        f"{_unit(name, field)}{_bounds(field)}",
        default or "none",
        meaning,
    ]


def _number(seconds: float) -> str:
    days = seconds / 86_400
    told = f" ({days:g} {'day' if days == 1 else 'days'})" if days and days.is_integer() else ""
    return f"{seconds:g}{told}"


def _unit(name: str, field: FieldInfo) -> str:
    if name.endswith("url"):
        return "URL"
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(field.annotation))
    kinds = set(_parts(field.annotation))
    return next((unit for kind, unit in _UNITS.items() if kind in kinds), "text")


def _bounds(field: FieldInfo) -> str:
    limits = {type(one): one for one in [*field.metadata, *_parts(field.annotation)]}
    low, above, high = limits.get(Ge), limits.get(Gt), limits.get(Le)
    if low and high:
        return f", {low.ge} to {'ten years' if high.le == MAX_SECONDS else f'{high.le:,}'}"
    if low:
        return f", {low.ge} or more"
    return f", more than {above.gt}" if above else ""


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield everything that an annotation is made of."""
    yield annotation
    if isinstance(annotation, FieldInfo):
        yield from annotation.metadata
    for part in get_args(annotation):
        yield from _parts(part)
