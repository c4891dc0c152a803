"""Reads the stacks that `faulthandler` writes, and finds the handlers in them."""

from __future__ import annotations

import linecache
import re
from collections.abc import Mapping
from dataclasses import dataclass

_THREAD = "(most recent call first):"
_FRAME = re.compile(r'  File "(.*)", line (\d+) in (.*)')


@dataclass(frozen=True, slots=True)
class Named:
    """A task, as its handler's code leads to it; limit: Seconds that an attempt may take, 0 for ever."""

    task: str
    limit: float


Names = Mapping[tuple[str, str], Named]
"""Tasks, by the file and the name of the function."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in a program."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        """Return it as in a traceback."""
        source = linecache.getline(self.file, self.line).strip()
        place = f'  File "{self.file}", line {self.line}, in {self.function}'
        return f"{place}\n    {source}" if source else place


@dataclass(frozen=True, slots=True)
class Found:
    """Where the threads of a worker are: in these handlers, or nobody knows."""

    names: tuple[Named, ...]
    stack: str

    @property
    def task(self) -> str | None:
        """Return the task names; None if there is none."""
        return ", ".join(dict.fromkeys(one.task for one in self.names)) or None


def find(dump: str, names: Names) -> Found:
    """Return the handlers in a dump, the one on the event loop first, with their stacks."""
    threads = threads_of(dump)
    threads.reverse()  # the main thread comes last
    found: list[Named] = []
    stacks: list[str] = []
    for frames in threads:
        for index, frame in enumerate(frames):
            if named := names.get((frame.file, frame.function)):
                found.append(named)
                stacks.append("\n".join(map(str, frames[index:])))
                break
    whole = ["\n".join(map(str, frames)) for frames in threads]
    return Found(tuple(found), "\n\n".join(stacks or whole))


def threads_of(dump: str) -> list[list[Frame]]:
    """Return the stack of each thread, the most recent call last."""
    threads: list[list[Frame]] = []
    for line in dump.splitlines():
        if line.endswith(_THREAD):
            threads.append([])
        elif threads and (frame := _FRAME.fullmatch(line)):
            threads[-1].insert(0, Frame(frame[1], int(frame[2]), frame[3]))
    return threads
