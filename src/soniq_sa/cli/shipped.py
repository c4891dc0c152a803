"""Folders that the wheel carries beside the code."""

from __future__ import annotations

from pathlib import Path

import soniq_sa
from soniq_sa.errors import SoniqError


class NotShippedError(SoniqError):
    """Say that the installation lacks a folder."""


def shipped_folder(name: str, proof: str) -> Path:
    """Return the folder ``name`` of a checkout, or inside the installed wheel; ``proof`` is in it."""
    package = Path(soniq_sa.__file__).resolve().parent
    candidates = (package / name, package.parents[1] / name)
    for folder in candidates:
        if (folder / proof).is_file():
            return folder
    raise NotShippedError(
        f"{name} is in none of: {', '.join(map(str, candidates))}. Install soniq-sa again."
    )
