"""A section for each public object, from its signature and its docstring."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, is_typeddict

import soniq_sa
import soniq_sa.models
import soniq_sa.observability
from soniq_sa import asks, control, outcome, subscribers
from soniq_sa.models.mixin import TableMixin
from sqlalchemy.dialects import postgresql

from docs.src.reference.docstring import Docstring, read_docstring
from docs.src.reference.options import option_table, table
from docs.src.reference.signatures import attribute, constructor, signatures
from docs.src.reference.type_words import hints_of, type_words

MADE_BY_USERS = (
    soniq_sa.Soniq,
    soniq_sa.Worker,
    asks.Ask,
    soniq_sa.observability.PrometheusMetrics,
)
"""Classes whose constructors are for users; objects of the others are handed to them."""

BEHIND_ATTRIBUTES = {
    "Control": control.Control,
    "Events": subscribers.Events,
    "Failed": outcome.Failed,
}
"""What users reach through an attribute of a public object, and do not import."""

_INTERNAL = {"codec", "emit", "resolve"}
"""Members that are public within the package only."""

_WORD = re.compile(r"(?<=[a-z])([A-Z])")
_REFERENCE = re.compile(r"\[`(\w+)`\]\[\]")


def object_sections(names: Iterable[str]) -> str:
    """Return a section for each of these objects."""
    return "\n\n".join(block for name in names for block in _section(name, public_object(name)))


def public_object(name: str) -> Any:
    """Return the object that has this name for users."""
    if name in BEHIND_ATTRIBUTES:
        return BEHIND_ATTRIBUTES[name]
    homes = (soniq_sa.models, soniq_sa.observability)
    return getattr(next((one for one in homes if name in one.__all__), soniq_sa), name)


def _section(name: str, found: Any) -> Iterator[str]:
    yield f"## `{name}`"
    if not inspect.isclass(found):
        yield from _function(name, found)
    elif is_typeddict(found):
        yield from read_docstring(found).blocks
        yield option_table(found)
    else:
        yield from _class(found)
        for owner, member_name, member in _members(found):
            yield f"### `{name}.{member_name}`"
            yield from (_within(owner, found, block) for block in _member(member_name, member))


def _class(cls: type[Any]) -> Iterator[str]:
    docstring = read_docstring(cls)
    if getattr(cls, "_is_protocol", False):
        yield signatures(_WORD.sub(r"_\1", cls.__name__).lower(), cls.__call__)
        docstring = Docstring(
            {}, docstring.blocks[:1] + read_docstring(cls.__call__).blocks + docstring.blocks[1:]
        )
    elif issubclass(cls, MADE_BY_USERS):
        yield constructor(cls)
        made = read_docstring(cls.__init__) if "__init__" in vars(cls) else Docstring()
        docstring = Docstring(docstring.entries | made.entries, docstring.blocks + made.blocks)
    yield from (_within(cls, cls, block) for block in docstring.blocks[:1])
    yield from _contents(cls, docstring.entries)
    yield from (_within(cls, cls, block) for block in docstring.blocks[1:])
    if above := [f"[`{one.__name__}`][]" for one in cls.__mro__[1:] if _is_public(one)]:
        yield f"Has all that {' and '.join(above)} has."


def _contents(cls: type[Any], entries: dict[str, str]) -> Iterator[str]:
    """Yield what objects of the class hold."""
    if issubclass(cls, Enum):
        rows = [[f"`{one.name}`", f"`{one.value!r}`".replace("'", '"')] for one in cls]
        yield table(["member", "value"], rows)
    elif issubclass(cls, TableMixin):
        yield _columns(cls, entries)
    elif dataclasses.is_dataclass(cls):
        yield _fields(cls, entries)
    elif entries:
        yield _bullets(entries)


def _fields(cls: type[Any], entries: dict[str, str]) -> str:
    hints = hints_of(cls)
    rows = [
        [f"`{one.name}`", type_words(hints[one.name]), entries.get(one.name, "")]
        for one in dataclasses.fields(cls)
        if one.repr or one.name in entries
    ]
    return table(["attribute", "type", "meaning"], rows)


def _columns(cls: type[TableMixin], entries: dict[str, str]) -> str:
    dialect = postgresql.dialect()
    columns = {name: mapped.column for name, mapped in cls.soniq_columns().items()}
    rows = [
        [
            f"`{name}`",
            f"`{column.type.compile(dialect)}`",
            "yes" if column.nullable else "",
            entries.get(name, ""),
        ]
        for name, column in columns.items()
    ]
    return table(["column", "type", "may be NULL", "meaning"], rows)


def _members(cls: type[Any]) -> Iterator[tuple[type[Any], str, Any]]:
    """Yield the methods and properties for users; those of the class itself come last.

    What stands at a public class above it is not repeated.
    """
    ours = [one for one in cls.__mro__ if one.__module__.startswith("soniq_sa")]
    own, *bases = [one for one in ours if one is cls or not _is_public(one)]
    for owner in [*bases, own]:
        for name, member in vars(owner).items():
            for_users = not name.startswith(("_", "soniq_")) and name not in _INTERNAL
            if for_users and _documented(member) and inspect.getattr_static(cls, name) is member:
                yield owner, name, member


def _is_public(cls: type[Any]) -> bool:
    return cls.__name__ in soniq_sa.__all__ and getattr(soniq_sa, cls.__name__) is cls


def _documented(member: Any) -> bool:
    kinds = (property, functools.cached_property, classmethod, staticmethod)
    return inspect.isfunction(member) or isinstance(member, kinds)


def _member(name: str, member: Any) -> Iterator[str]:
    if isinstance(member, functools.cached_property):
        member = property(member.func, doc=member.__doc__)
    if isinstance(member, property):
        yield attribute(name, member)
        yield from read_docstring(member).blocks
    else:
        yield from _function(name, getattr(member, "__func__", member))


def _function(name: str, function: Any) -> Iterator[str]:
    docstring = read_docstring(function)
    yield signatures(name, function)
    yield from docstring.blocks[:1]
    if docstring.entries:
        yield _bullets(docstring.entries)
    yield from docstring.blocks[1:]


def _bullets(entries: dict[str, str]) -> str:
    return "\n".join(f"- `{name}`: {text}" for name, text in entries.items())


def _within(owner: type[Any], cls: type[Any], text: str) -> str:
    """Return ``text`` with references to members of its own class completed: `stop` of a `Worker`."""

    def complete(found: re.Match[str]) -> str:
        is_member = hasattr(owner, found[1]) and found[1] not in soniq_sa.__all__
        return f"[`{found[1]}`][{cls.__name__}.{found[1]}]" if is_member else found[0]

    return text if text.startswith("```") else _REFERENCE.sub(complete, text)
