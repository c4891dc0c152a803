"""The example shop: where it lives, and what its processes find in their environment."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from soniq_sa.cli.shipped import shipped_folder

PACKAGES = ("fastapi", "httpx2", "uvicorn")
APP = "shop.app:app"
TASKS = "shop.jobs:soniq"


def missing_packages() -> list[str]:
    """Return what the demo needs and does not find."""
    return [package for package in PACKAGES if find_spec(package) is None]


def examples_folder() -> Path:
    """Return the folder with the package `shop`: of a checkout, or inside the installed wheel."""
    return shipped_folder("examples", "shop/alembic.ini")


def environment(database_url: str) -> dict[str, str]:
    """Return the environment of the shop's processes: this one's, without settings of other apps."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("SONIQ_SA_")
    }
    # The processes run in a folder of their own: relative entries would lead elsewhere.
    inherited_path = [
        str(Path(entry).resolve())
        for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep)
        if entry
    ]
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join([str(examples_folder()), *inherited_path]),
        "PYTHONUNBUFFERED": "1",
        "DATABASE_URL": database_url,
        "SONIQ_SA_DATABASE_URL": database_url,
    }
