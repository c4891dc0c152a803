"""A folder with an application in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import APP


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that holds ``shop/jobs.py``."""
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "jobs.py").write_text(APP)
    return tmp_path
