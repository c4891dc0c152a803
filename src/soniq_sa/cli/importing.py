"""Imports modules of the user's program, as it would from the working directory."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType

from soniq_sa.errors import ConfigurationError


def look_here_first() -> str:
    """Put the working directory in front of the import path, and return it."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    return here


def import_module(name: str, asked: str, refusal: type[ConfigurationError]) -> ModuleType:
    """Import a module; raise ``refusal`` if it is not there, or fails to import something.

    asked: What the user has written to have it imported, as ``--app 'shop.jobs:soniq'``.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{name}.".startswith(f"{missing}."):
            raise refusal(
                f"{asked}: there is no module {missing!r} in {Path.cwd()} or in the environment. Start "
                "soniq-sa in the folder from which your program is imported."
            ) from error
        trace = "".join(traceback.format_exception(error)).rstrip()
        raise refusal(f"{asked}: importing {name!r} failed.\n{trace}") from error
