"""An environment for each rival, made once and kept: nobody's dependencies meet anybody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench.child import ROOT
from tests.bench.plan import progress

VARIABLE = "SONIQ_BENCH_ENVIRONMENTS"
_DEFAULT = ROOT / ".nox" / "bench-rivals"
_COMMON = ("sqlalchemy[asyncio]==2.1.*", "uvloop")


def environment(name: str, requirements: Sequence[str]) -> Path | None:
    """Return the Python of a rival's environment; None, with a line on stderr, if there can be none."""
    folder = Path(os.environ.get(VARIABLE, _DEFAULT)) / name
    python = folder / "bin" / "python"
    wanted = "\n".join((*requirements, *_COMMON))
    note = folder / "requirements.txt"
    if note.exists() and note.read_text() == wanted:
        return python
    progress(f"{name}: making its environment in {folder}")
    try:
        _run(sys.executable, "-m", "venv", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", *requirements, *_COMMON)
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or error.stdout or "").strip().splitlines()
        progress(f"{name} is left out: {lines[-1] if lines else error}", stays=True)
        return None
    note.write_text(wanted)
    return python


def version(python: Path, package: str) -> str:
    """Return the version of ``package`` in the environment of ``python``."""
    program = f"import importlib.metadata as m; print(m.version({package!r}))"
    return _run(str(python), "-c", program).strip()


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
