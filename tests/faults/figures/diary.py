"""What handlers do, told by a file outside the database: one line each time, written with O_APPEND.

Only the standard library is imported: each rival runs in an environment of its own. The times are those of
the monotonic clock, which all processes of the machine share.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

FOLDER = "FIGURES_FOLDER"
"""The environment variable that names the folder with the diary and the gates."""


class Line(NamedTuple):
    """A job started or ended, was committed, or a worker was ready."""

    what: str
    job: int
    process: int
    at: float


def note(what: str, job: int = -1) -> None:
    """Write a line into the diary."""
    line = f"{what} {job} {os.getpid()} {time.monotonic()}\n"
    diary = os.open(_folder() / "diary", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(diary, line.encode())
    os.close(diary)


class Reader:
    """Reads the diary in a folder, each line once."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "diary"
        self._place = 0
        self._lines: list[Line] = []

    def lines(self) -> list[Line]:
        """Return all lines that are there by now, in their order."""
        if self._file.exists():
            with self._file.open("rb") as file:
                file.seek(self._place)
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._place += len(whole)
            for text in whole.decode().splitlines():
                what, job, process, at = text.split()
                self._lines.append(Line(what, int(job), int(process), float(at)))
        return self._lines


def starts_so_far(job: int) -> int:
    """Return how often a job has been started."""
    return sum(line.what == "start" and line.job == job for line in Reader(_folder()).lines())


def is_open(job: int, turn: int | None = None) -> bool:
    """Tell whether a job, or one run of it, may go on."""
    return gate(_folder(), job, turn).exists()


def gate(folder: Path, job: int, turn: int | None = None) -> Path:
    """Return the file that lets a job, or one run of it, go on once it is there."""
    return folder / (f"gate-{job}" if turn is None else f"gate-{job}-{turn}")


def _folder() -> Path:
    return Path(os.environ[FOLDER])
