"""The table of `soniq_sa.settings.Settings`, for the settings reference."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Any, get_args

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo
from soniq_sa.cli.worker import worker
from soniq_sa.settings import Settings

_MEANING = re.compile(r"^(\w+): (.+?)(?=^\w+: |\Z)", re.MULTILINE | re.DOTALL)
_UNITS = {float: "seconds", int: "number"}


def settings_table() -> str:
    """Return the table, as Markdown."""
    meanings = _meanings()
    rows = [
        "| setting | flag of `worker` | unit | takes | default | meaning |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        cells = [
            f"`SONIQ_SA_{name.upper()}`",
            f"`--{name.replace('_', '-')}`" if name in worker.__annotations__ else "",
            _unit(name, field),
            _bounds(field),
            _default(field, meanings[name]),
            _without_default(meanings[name]),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _meanings() -> dict[str, str]:
    text = textwrap.dedent(f"    {Settings.__doc__}").replace("``", "`")
    return {name: " ".join(words.split()) for name, words in _MEANING.findall(text)}


def _default(field: FieldInfo, meaning: str) -> str:
    if field.default is not None:
        return f"{field.default:g}"
    said = re.search(r"Default: ([^.]+)\.", meaning)
    return said[1] if said else "none"


def _without_default(meaning: str) -> str:
    return re.sub(r" Default:? [^.]+\.", "", meaning)


def _unit(name: str, field: FieldInfo) -> str:
    if name.endswith("url"):
        return "URL"
    kinds = set(_parts(field.annotation))
    return next((unit for kind, unit in _UNITS.items() if kind in kinds), "text")


def _bounds(field: FieldInfo) -> str:
    limits = {type(one): one for one in [*field.metadata, *_parts(field.annotation)]}
    low, above, high = limits.get(Ge), limits.get(Gt), limits.get(Le)
    if low and high:
        return f"{low.ge} to {high.le:,}"
    if low:
        return f"{low.ge} or more"
    return f"more than {above.gt}" if above else ""


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield everything that an annotation is made of."""
    yield annotation
    if isinstance(annotation, FieldInfo):
        yield from annotation.metadata
    for part in get_args(annotation):
        yield from _parts(part)
