"""The generated parts of the reference pages: what a page asks for, and how it is made.

    <!-- generated: settings -->
    …
    <!-- /generated -->

``objects`` is followed by names, ``<!-- generated: objects JobContext inject -->``; ``other objects``
stands for the public names that no page asks for.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import soniq_sa
import soniq_sa.models

from docs.src.reference.commands import command_sections, exit_codes
from docs.src.reference.errors import error_sections, error_tree
from docs.src.reference.events import event_sections
from docs.src.reference.links import Homes, homes_of, linked
from docs.src.reference.metrics import metrics_table
from docs.src.reference.objects import object_sections
from docs.src.reference.options import option_table
from docs.src.reference.settings import settings_table

REFERENCE = Path(__file__).parents[2] / "reference"

_PART = re.compile(r"<!-- generated: (.+?) -->\n.*?<!-- /generated -->", re.DOTALL)
_PARTS: dict[str, Callable[[], str]] = {
    "command sections": command_sections,
    "error sections": error_sections,
    "error tree": error_tree,
    "event sections": event_sections,
    "exit codes": exit_codes,
    "metrics": metrics_table,
    "models": lambda: object_sections(sorted(soniq_sa.models.__all__, key=_class_last)),
    "options of jobs": lambda: option_table(soniq_sa.JobOptions),
    "options of tasks": lambda: option_table(soniq_sa.TaskOptions),
    "other objects": lambda: object_sections(_other_objects()),
    "settings": settings_table,
}
_TABLES = {"TaskOptions": "tasks.md", "JobOptions": "jobs.md", "Settings": "settings.md"}
"""Names that are a page, not a heading."""


def with_parts(text: str, page: Path) -> str:
    """Return the text of a page with its generated parts made anew."""
    return _PART.sub(
        lambda found: (
            f"<!-- generated: {found[1]} -->\n\n{linked(made(found[1]), page, all_homes())}\n\n"
            "<!-- /generated -->"
        ),
        text,
    )


def without_parts(text: str) -> str:
    """Return what is written by hand of a page."""
    return _PART.sub("", text)


def parts_of(text: str) -> list[str]:
    """Return what a page asks for."""
    return _PART.findall(text)


@functools.cache
def made(part: str) -> str:
    """Return a part, with names that are not yet links."""
    if part.startswith("objects "):
        return object_sections(part.split()[1:])
    if part not in _PARTS:
        raise LookupError(
            f"There is no part {part!r}. There are: {', '.join(_PARTS)}, objects NAME…"
        )
    return _PARTS[part]()


@functools.cache
def all_homes() -> Homes:
    """Return the page and the heading of everything in the reference."""
    homes = {name: (REFERENCE / page, "") for name, page in _TABLES.items()}
    for page, parts in _pages():
        for part in parts:
            homes |= homes_of(made(part), page)
    return homes


def _class_last(name: str) -> bool:
    return name[0].isupper()


def _other_objects() -> list[str]:
    placed = {*_TABLES}
    for page, parts in _pages():
        for part in parts:
            if part not in {"models", "other objects"}:
                placed |= homes_of(made(part), page).keys()
    return [name for name in soniq_sa.__all__ if name not in placed]


def _pages() -> Iterator[tuple[Path, list[str]]]:
    for page in sorted(REFERENCE.glob("*.md")):
        yield page, parts_of(page.read_text("utf-8"))
