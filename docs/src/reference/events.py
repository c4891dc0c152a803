"""A section for each event of a worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import soniq_sa.events
from soniq_sa.events import Event

from docs.src.reference.docstring import read_docstring
from docs.src.reference.options import table
from docs.src.reference.type_words import hints_of, type_words


def event_sections() -> str:
    """Return a section for each event: when it is emitted, and what it holds."""
    return "\n\n".join(block for event in all_events() for block in _section(event))


def all_events() -> list[type[Event]]:
    """Return the events, in the order of the module."""
    found = [one for one in vars(soniq_sa.events).values() if isinstance(one, type)]
    return [one for one in found if issubclass(one, Event) and one is not Event]


def _section(event: type[Event]) -> Iterator[str]:
    docstring, hints = read_docstring(event), hints_of(event)
    yield f"## `{event.__name__}`"
    yield from docstring.blocks
    rows = [
        [f"`{one.name}`", type_words(hints[one.name]), docstring.entries.get(one.name, "")]
        for one in fields(event)
    ]
    if rows:
        yield table(["attribute", "type", "meaning"], rows)
