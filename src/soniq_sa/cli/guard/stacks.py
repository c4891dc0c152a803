"""Reads the stacks that `faulthandler` writes, and finds the handlers in them."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_THREAD = "(most recent call first):"
_FRAME = re.compile(r'  File "(.*)", line (\d+) in (.*)')
_ESCAPED = re.compile(
    r"\\x([0-9a-f]{2})|\\u((?!d[89a-f])[0-9a-f]{4})|\\U(000[0-9a-f]{5}|0010[0-9a-f]{4})"
)
_LONGEST_NAME = 500
"""Characters of a name in a stack; what follows is written as three dots."""


@dataclass(frozen=True, slots=True)
class Dump:
    """What one thread has written.

    busy: Whether it had the processor, as what keeps Python's lock mostly has. main: Whether the event loop
    runs in it.
    """

    text: bytes
    busy: bool
    main: bool


@dataclass(frozen=True, slots=True)
class Named:
    """A task, as its handler's code leads to it; limit: Seconds that an attempt may take, 0 for ever."""

    task: str
    limit: float


Names = Mapping[tuple[str, str], Named]
"""Tasks, by the file and the name of the function, both as `as_dumped` writes them."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in a program, as it is dumped."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        """Return it as in a traceback."""
        file, function = _as_written(self.file), _as_written(self.function)
        source = linecache.getline(file, self.line).strip()
        place = f'  File "{file}", line {self.line}, in {function}'
        return f"{place}\n    {source}" if source else place


@dataclass(frozen=True, slots=True)
class Found:
    """Where the threads of a worker are.

    names: The handlers, any of which may be what keeps the lock. suspects: The tasks of those that most
    likely do. stack: Where these are.
    """

    names: tuple[Named, ...]
    suspects: tuple[str, ...]
    stack: str

    @property
    def task(self) -> str | None:
        """Return the task name of the handler that keeps the lock; None if that is not known."""
        return self.suspects[0] if len(self.suspects) == 1 else None

    @property
    def blamed(self) -> str:
        """Return what keeps the lock, for people."""
        one_of = "one of " if len(self.suspects) > 1 else ""
        return f"{one_of}{', '.join(self.suspects)}" or "something that is not a handler"


@dataclass(frozen=True, slots=True)
class _Handler:
    named: Named
    stack: str
    dump: Dump


def find(dumps: Sequence[Dump], names: Names) -> Found:
    """Return the handlers, and the one that keeps the lock: it is busy, as one that waits for it is not.

    If none is busy, it waits in compiled code. Then it is the one on the event loop, if there is one: all
    handlers that wait in threads stand beside it, and have let go of the lock.
    """
    handlers = [one for dump in reversed(dumps) for one in _handlers(dump, names)]
    suspects = (
        [one for one in handlers if one.dump.busy]
        or [one for one in handlers if one.dump.main]
        or handlers
    )
    whole = [_written(frames) for dump in reversed(dumps) for frames in _threads_of(dump)]
    return Found(
        tuple(one.named for one in handlers),
        tuple(dict.fromkeys(one.named.task for one in suspects)),
        "\n\n".join([one.stack for one in suspects] or whole),
    )


def as_dumped(name: str) -> str:
    """Return the name of a file or function as it is written into a stack: in ASCII, and not too long."""
    written = "".join(
        one if " " <= one <= "~" else _escape(ord(one)) for one in name[:_LONGEST_NAME]
    )
    return f"{written}..." if len(name) > _LONGEST_NAME else written


def _escape(number: int) -> str:
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _as_written(name: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1] or found[2] or found[3], 16)), name)


def _handlers(dump: Dump, names: Names) -> Iterable[_Handler]:
    for frames in _threads_of(dump):
        for index, frame in enumerate(frames):
            if named := names.get((frame.file, frame.function)):
                yield _Handler(named, _written(frames[index:]), dump)
                break


def _threads_of(dump: Dump) -> list[list[Frame]]:
    """Return the stack of each thread, the most recent call last."""
    threads: list[list[Frame]] = []
    for line in dump.text.decode(errors="replace").splitlines():
        if line.endswith(_THREAD):
            threads.append([])
        elif threads and (frame := _FRAME.fullmatch(line)):
            threads[-1].insert(0, Frame(frame[1], int(frame[2]), frame[3]))
    return threads


def _written(frames: Iterable[Frame]) -> str:
    return "\n".join(map(str, frames))
