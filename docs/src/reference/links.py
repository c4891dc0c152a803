"""Makes links of the names in the reference, and knows where each name has its place."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

Homes = Mapping[str, tuple[Path, str]]
"""The page and the anchor of each name."""

_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_REFERENCE = re.compile(r"\[`([\w.]+)`\]\[([\w.]*)\]")
_NAME = re.compile(r"(?:[A-Z]\d\d )?`?([A-Za-z_][\w.]*)`?$")
_MODULE = re.compile(r"^soniq_sa\.(?:[a-z]\w*\.)*")
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def homes_of(text: str, page: Path) -> dict[str, tuple[Path, str]]:
    """Return the names that are a heading in ``text``, alone or behind a code."""
    found = {}
    for title in _HEADING.findall(_FENCED.sub("", text)):
        if name := _NAME.match(title):
            found[name[1]] = (page, anchor(title))
    return found


def anchor(title: str) -> str:
    """Return the anchor of a heading, as GitHub and the site make it."""
    return re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-")


def linked(text: str, page: Path, homes: Homes) -> str:
    """Return ``text`` with a link for each reference whose name has a place; else plain code."""

    def link(found: re.Match[str]) -> str:
        label, target = found[1], found[2] or found[1]
        label, target = _MODULE.sub("", label), _MODULE.sub("", target)
        if target not in homes:
            return f"`{label}`"
        home, place = homes[target]
        file = "" if home == page else os.path.relpath(home, page.parent)
        return f"[`{label}`]({file}{f'#{place}' if place else ''})"

    return _REFERENCE.sub(link, text)
