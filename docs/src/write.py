"""Write the parts of the documentation that are taken from elsewhere; with --check only compare.

A code block is a file of this folder, or the parts of it between ``# region name`` and
``# endregion``. The line above the block names it:

    <!-- docs/src/enqueue/options.py#delay -->

The pages in `docs/reference` have parts that are made from the code; see `docs.src.reference.parts`.
"""

from __future__ import annotations

import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from docs.src.reference.parts import with_parts

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(
    r"^<!-- (?P<source>docs/src/[^ #]+)(?:#(?P<region>\w+))? -->\n"
    r"```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_REGION = re.compile(r"^ *# region (\w+)\n(.*?)^ *# endregion$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block that is taken from a file."""

    source: Path
    region: str | None
    language: str
    text: str


def main() -> int:
    """Write every page anew, or tell which ones are not current."""
    stale = [page for page in PAGES if page.read_text("utf-8") != current(page)]
    for page in stale:
        if "--check" in sys.argv:
            sys.stderr.write(f"{page.relative_to(ROOT)} is not current: python -m docs.src.write\n")
        else:
            page.write_text(current(page), "utf-8")
    return 1 if stale and "--check" in sys.argv else 0


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page that are taken from files, in their order."""
    return [
        Block(ROOT / found["source"], found["region"], found["language"], found["text"])
        for found in _BLOCK.finditer(page.read_text("utf-8"))
    ]


def current(page: Path) -> str:
    """Return the text of a page with all that is taken from elsewhere."""
    return with_parts(_BLOCK.sub(_with_source, page.read_text("utf-8")), page)


def source_text(source: Path, region: str | None) -> str:
    """Return a file, or the named parts of it."""
    text = source.read_text("utf-8")
    if region is None:
        return _REGION.sub(lambda found: found[2].rstrip("\n"), text)
    parts = [
        textwrap.dedent(part).strip("\n") for name, part in _REGION.findall(text) if name == region
    ]
    if not parts:
        raise LookupError(f"{source} has no region {region!r}")
    return "\n\n".join(parts) + "\n"


def _with_source(found: re.Match[str]) -> str:
    head = found[0].split("\n", 1)[0]
    text = source_text(ROOT / found["source"], found["region"])
    return f"{head}\n```{found['language']}\n{text}```"


if __name__ == "__main__":
    sys.exit(main())
