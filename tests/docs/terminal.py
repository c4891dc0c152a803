"""A reader's terminal: it runs the commands of a console block, and compares what they write."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

BASH = "/bin/bash"
DEADLINE = 60.0
KEEPS_RUNNING = re.compile(r"uvicorn |soniq-sa worker (?!.*--run-once)")
MAY_BE_REPEATED = re.compile(r"curl (?!-X)")


@dataclass(frozen=True)
class Command:
    """A line behind ``$`` in a console block, and what the block says that it writes."""

    line: str
    output: str


def commands(console: str) -> Iterator[Command]:
    """Yield the commands of a console block."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        yield Command(line, output.strip("\n"))


def matches(expected: str, written: str) -> bool:
    """Compare outputs: a line ``…`` stands for any lines, ``…`` in a line for anything in it."""
    lines = [
        r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*?") + r" *\n"
        for line in expected.splitlines()
    ]
    plain = written.replace("\N{NO-BREAK SPACE}", " ").strip()
    return re.fullmatch("".join(lines), f"{plain}\n" if plain else "") is not None


class Terminal:
    """Run commands in ``folder``; port 8000 becomes a free one. Programs are stopped at the end."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._port = str(_free_port())
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = {**os.environ, "PATH": path, "COLUMNS": "100", **environment}
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self._status = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def run(self, console: str) -> None:
        """Run every command of a block; each must write what the block says."""
        for command in commands(console):
            line = command.line.replace("8000", self._port)
            expected = command.output.replace("8000", self._port)
            if KEEPS_RUNNING.match(line):
                self._start(line, expected)
            elif MAY_BE_REPEATED.match(line):
                self._repeat(line, expected)
            else:
                if line == "echo $?" and self._programs:
                    self._status = self._programs.popitem()[1].wait(DEADLINE)
                written = self._call(line)
                assert matches(expected, written), f"$ {line}\n{written}\nexpected:\n{expected}"

    def restart(self) -> None:
        """Stop the programs that keep running, and start them again."""
        lines = list(self._programs)
        self.stop()
        for line in lines:
            self._start(line, "…\n…http…" if "uvicorn" in line else "…\n… started: …")

    def stop(self) -> None:
        """Stop the programs as Ctrl-C does; they must end in good order."""
        programs, self._programs = self._programs, {}
        for program in programs.values():
            program.send_signal(2)
        for line, program in programs.items():
            assert program.wait(DEADLINE) in {0, -2, 130}, self._log(line).read_text()

    def expect(self, line: str, expected: str) -> None:
        """Wait until the program started by ``line`` has written all these lines, in any order."""
        for one in expected.splitlines():
            self._until(lambda one=one: self._has_line(line, one), line, one)

    def _has_line(self, line: str, wanted: str) -> bool:
        return any(matches(wanted, one) for one in self._log(line).read_text().splitlines())

    def _start(self, line: str, expected: str) -> None:
        with self._log(line).open("wb") as log:
            self._programs[line] = subprocess.Popen(
                [BASH, "-c", f"exec {line}"],
                cwd=self._folder,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wanted = expected.splitlines()[-1]
        self._until(lambda: self._has_line(line, wanted), line, wanted)

    def _repeat(self, line: str, expected: str) -> None:
        self._until(lambda: matches(expected, self._call(line)), line, expected)

    def _call(self, line: str) -> str:
        done = subprocess.run(
            [BASH, "-c", f"(exit {self._status}); {line}"],
            check=False,
            cwd=self._folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if not line.startswith("curl") else subprocess.DEVNULL,
            text=True,
            timeout=DEADLINE,
        )
        self._status = done.returncode
        return done.stdout

    def _until(self, condition: Callable[[], bool], line: str, expected: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            program = self._programs.get(line)
            running = program is None or program.poll() is None
            log = self._log(line)
            told = log.read_text() if log.exists() else self._call(line)
            assert running, f"$ {line}\nended.\n{told}"
            assert time.monotonic() < deadline, f"$ {line}\n{told}\nexpected:\n{expected}"
            time.sleep(0.05)

    def _log(self, line: str) -> Path:
        return self._folder / f".{re.sub(r'[^a-z]+', '-', line)}.log"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
