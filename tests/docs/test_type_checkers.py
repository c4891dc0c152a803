"""mypy and pyright say of the example what the enqueue guide shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.src.write import ROOT, blocks
from tests.docs.terminal import Terminal
from tests.docs.test_examples import copy_modules

ENQUEUE = ROOT / "docs" / "enqueue.md"


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_the_guide_shows_what_the_type_checker_says(checker: str, tmp_path: Path) -> None:
    pytest.importorskip(checker, reason="nox -s types has the type checkers")
    (block,) = (one for one in blocks(ENQUEUE) if one.source.name == f"{checker}.console")
    copy_modules(block.source.parent, tmp_path)
    with Terminal(tmp_path, {}) as terminal:
        terminal.run(block.text)
