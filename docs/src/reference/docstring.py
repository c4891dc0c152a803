"""Reads the docstrings of soniq-sa, and writes them as Markdown.

Summary in one paragraph.

name: What the parameter, field or option of that name means,
    over as many lines as it takes.

Any further paragraph, with ``code`` and `names` that become links.

Example::

    code
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

_ENTRY = re.compile(r"^(\w+(?:, \w+)*): (.+?)(?=^\w+(?:, \w+)*: |\Z)", re.MULTILINE | re.DOTALL)
_IN_CODE = re.compile(r"``(.+?)``", re.DOTALL)
_NAME = re.compile(r"(?<![`\w])`([A-Za-z_][\w.]*)`(?!`)")


@dataclass(frozen=True)
class Docstring:
    """What the docstring of an object says.

    entries: Its "name: text" lines, by name; as Markdown.
    blocks: Everything else, in order: paragraphs, and code between fences; as Markdown.
    """

    entries: dict[str, str] = field(default_factory=dict)
    blocks: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """Return the first paragraph; empty without one."""
        return next(iter(self.blocks), "")


def read_docstring(documented: object) -> Docstring:
    """Return what the docstring of ``documented`` itself says; that of a base does not count."""
    text = inspect.cleandoc(getattr(documented, "__doc__", None) or "")
    entries: dict[str, str] = {}
    blocks = []
    for block in _blocks(text):
        if _is_list(block):
            for names, meaning in _ENTRY.findall(block):
                entries |= dict.fromkeys(names.split(", "), as_markdown(meaning))
        else:
            blocks.append(block if block.startswith("```") else as_markdown(block))
    return Docstring(entries, tuple(blocks))


def as_markdown(text: str) -> str:
    """Return prose on one line. A `name` becomes a reference, which `linked` makes a link of."""
    one_line = " ".join(text.split())
    parts = _IN_CODE.split(one_line)
    for place, part in enumerate(parts):
        parts[place] = f"`{part}`" if place % 2 else _NAME.sub(r"[`\1`][]", part)
    return "".join(parts)


def _blocks(text: str) -> Iterator[str]:
    """Yield paragraphs, lists of entries, and the indented code behind ``::`` as a fenced block."""
    for part in re.split(r"\n(?:[ \t]*\n)+(?=\S)", text):
        head, _, indented = part.partition("\n\n")
        if head.endswith("::") and indented:
            said = head.removesuffix("::")
            if said != "Example":
                yield f"{said}:"
            yield f"```python\n{textwrap.dedent(indented).strip()}\n```"
        elif part:
            yield part


def _is_list(block: str) -> bool:
    lines = [line for line in block.splitlines() if not line.startswith(" ")]
    return all(_ENTRY.match(line) for line in lines)
