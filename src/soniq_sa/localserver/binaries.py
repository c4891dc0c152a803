"""PostgreSQL's own programs, found on this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("initdb", "pg_ctl", "postgres")
OLDEST_MAJOR = 13
SYSTEM_FOLDERS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)


@dataclass(frozen=True, slots=True, order=True)
class Binaries:
    """A folder that holds a complete server of one version."""

    version: tuple[int, ...]
    folder: Path

    def program(self, name: str) -> str:
        """Return the path of one of the programs."""
        return str(self.folder / name)


def find_binaries() -> list[Binaries]:
    """Return the complete servers on PATH and in the systems' usual folders, newest first."""
    usual = [folder for pattern in SYSTEM_FOLDERS for folder in Path("/").glob(pattern)]
    return complete([*_folders_on_path(), *usual])


def complete(folders: Iterable[Path]) -> list[Binaries]:
    """Keep the folders with every program of a version that is new enough, newest first."""
    found = {
        Binaries(version, folder)
        for folder in {folder.resolve() for folder in folders}
        if all(os.access(folder / name, os.X_OK) for name in PROGRAMS)
        and (version := _version(folder)) >= (OLDEST_MAJOR,)
    }
    return sorted(found, reverse=True)


def _folders_on_path() -> list[Path]:
    """Follow each program's links: a distribution may put wrappers or links on PATH, away from the real folder."""
    found = (shutil.which(name) for name in PROGRAMS)
    return [Path(program).resolve().parent for program in found if program]


def _version(folder: Path) -> tuple[int, ...]:
    """Ask for the version: "postgres (PostgreSQL) 15.18 (Debian ...)" is (15, 18), no answer ()."""
    try:
        answer = subprocess.run(
            [str(folder / "postgres"), "--version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    numbers = re.search(r"(\d+)(?:\.(\d+))?", answer.stdout)
    return tuple(int(part) for part in numbers.groups(default="0")) if numbers else ()
