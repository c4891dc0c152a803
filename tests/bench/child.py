"""A process of a benchmark, and its end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from tests.bench.cells import VARIABLE, Cells

ROOT = Path(__file__).parents[2]
DEADLINE = 120.0
"""Seconds after which whatever is waited for has failed."""

SONIQ_WORKER = ("soniq_sa", "worker", "--app", "tests.bench.app:soniq", "--log-level", "warning")


class BenchFailedError(Exception):
    """Say what did not happen, with what the process printed."""


class Child:
    """One running process, started as ``python -m``."""

    def __init__(self, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self.process = process
        self._output = output

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.process.pid

    def wait_for(self, reached: Callable[[], bool], what: str, *, every: float = 0.005) -> None:
        """Wait until ``reached()``; raise `BenchFailedError` if the process ends before."""
        deadline = time.monotonic() + DEADLINE
        while not reached():
            if self.process.poll() is not None:
                raise self.failure(f"ended with {self.process.returncode} before {what}")
            if time.monotonic() > deadline:
                raise self.failure(f"{DEADLINE:g} s without {what}")
            time.sleep(every)

    def wait(self) -> None:
        """Wait for the process to end by itself; raise `BenchFailedError` unless its status is 0."""
        if self.process.wait(DEADLINE) != 0:
            raise self.failure(f"ended with {self.process.returncode}")

    def failure(self, what: str) -> BenchFailedError:
        """Return an error that shows the end of the output."""
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").splitlines()
        return BenchFailedError("\n".join([f"{self.process.args!r}: {what}", *lines[-20:]]))


@contextmanager
def running(module: Sequence[str], url: str, cells: Cells, **environment: str) -> Iterator[Child]:
    """Run ``python -m module`` on the database, and kill it at the end."""
    with TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=ROOT,
            env=_clean(os.environ)
            | {"SONIQ_SA_DATABASE_URL": url, VARIABLE: str(cells.path)}
            | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Child(process, output)
        finally:
            process.kill()
            process.wait()


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without settings for PostgreSQL, soniq-sa and PgQueuer."""
    prefixes = ("PG", "SONIQ_")
    return {name: value for name, value in environment.items() if not name.startswith(prefixes)}
