"""A process of a benchmark, and its end."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from tests.bench.cells import VARIABLE, Cells
from tests.bench.script import URL

ROOT = Path(__file__).parents[2]
DEADLINE = 120.0
"""Seconds after which whatever is waited for has failed."""


class BenchFailedError(Exception):
    """Say what did not happen, with what the process printed."""


class Child:
    """One running process."""

    def __init__(self, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self.process = process
        self._output = output

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.process.pid

    def wait_for(
        self,
        reached: Callable[[], bool],
        what: str,
        *,
        every: float = 0.005,
        deadline: float = DEADLINE,
    ) -> None:
        """Wait until ``reached()``; raise `BenchFailedError` if the process ends before."""
        end = time.monotonic() + deadline
        while not reached():
            if self.process.poll() is not None:
                raise self.failure(f"ended with {self.process.returncode} before {what}")
            if time.monotonic() > end:
                raise self.failure(f"{deadline:g} s without {what}")
            time.sleep(every)

    def wait(self) -> str:
        """Wait for the process to end by itself, and return what it printed.

        Raises `BenchFailedError` unless its status is 0.
        """
        try:
            status = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            raise self.failure(f"{DEADLINE:g} s without an end") from None
        if status != 0:
            raise self.failure(f"ended with {self.process.returncode}")
        return self._printed()

    def failure(self, what: str) -> BenchFailedError:
        """Return an error that shows the end of the output."""
        lines = self._printed().splitlines()
        return BenchFailedError("\n".join([f"{self.process.args!r}: {what}", *lines[-20:]]))

    def _printed(self) -> str:
        self._output.seek(0)
        return self._output.read().decode(errors="replace")


@contextmanager
def running(
    command: Sequence[str], url: str, cells: Cells | None = None, **environment: str
) -> Iterator[Child]:
    """Run ``command`` on the database, and kill it at the end."""
    shared = {} if cells is None else {VARIABLE: str(cells.path)}
    with TemporaryFile() as output:
        process = subprocess.Popen(
            list(command),
            cwd=ROOT,
            env=_clean(os.environ) | {URL: url} | shared | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Child(process, output)
        finally:
            process.kill()
            process.wait()


def finished(command: Sequence[str], url: str) -> str:
    """Run ``command`` on the database to its end, and return what it printed."""
    with running(command, url) as child:
        return child.wait()


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without settings for PostgreSQL, soniq-sa and its rivals."""
    prefixes = ("PG", "SONIQ_", "PROCRASTINATE_")
    return {name: value for name, value in environment.items() if not name.startswith(prefixes)}
