"""One system on a database of its own: its processes, its diary, and the gates of its jobs."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from sqlalchemy import make_url

from soniq_sa.localserver.databases import libpq_url
from tests.bench.child import BenchFailedError
from tests.faults.figures import diary
from tests.faults.figures.diary import Line
from tests.faults.figures.scripts.script import URL
from tests.faults.figures.system import System

ROOT = Path(__file__).parents[3]
PATIENCE = 60.0
NEVER = math.inf
"""Instead of the seconds until something that did not happen before the deadline."""
_FOREIGN = ("PG", "SONIQ_", "PROCRASTINATE_", "FIGURES_")


class Process:
    """A process of a system; what it prints is in a file."""

    def __init__(
        self, command: Iterable[str], folder: Path, url: str, more: Mapping[str, str]
    ) -> None:
        self.began = time.monotonic()
        clean = {name: one for name, one in os.environ.items() if not name.startswith(_FOREIGN)}
        number = len(list(folder.glob("log-*")))
        self._file = folder / f"log-{number}"
        with self._file.open("wb") as log:
            self.popen = subprocess.Popen(
                list(command),
                cwd=ROOT,
                env={**clean, URL: url, diary.FOLDER: str(folder), **more},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.popen.pid

    @property
    def has_exited(self) -> bool:
        """Tell whether it has ended."""
        return self.popen.poll() is not None

    @property
    def log(self) -> str:
        """Return what it has printed."""
        return self._file.read_text(errors="replace")

    def send(self, number: signal.Signals) -> float:
        """Send a signal, and return when."""
        at = time.monotonic()
        self.popen.send_signal(number)
        return at

    def kill(self) -> float:
        """End it at once, and return when."""
        at = time.monotonic()
        self.popen.kill()
        self.popen.wait()
        return at

    def finish(self) -> None:
        """Wait for its end; raise `BenchFailedError` unless all is well."""
        try:
            status = self.popen.wait(2 * PATIENCE)
        except subprocess.TimeoutExpired:
            status = -1
        if status != 0:
            tail = "\n".join(self.log.splitlines()[-20:])
            raise BenchFailedError(f"{self.popen.args!r} ended with {status}\n{tail}")


class Stage:
    """What a measurement works with."""

    def __init__(self, system: System, url: str, folder: Path) -> None:
        self.system = system
        self.url = _over_tcp(url)
        self.folder = folder
        self._diary = diary.Reader(folder)
        self._processes: list[Process] = []
        self._jobs = 0
        self._run("prepare").finish()

    def worker(self, *, url: str | None = None, **settings: str) -> Process:
        """Start a worker, and wait until it is about to claim."""
        started = self.starting_worker(url=url, **settings)
        self.must(
            lambda: (
                started.has_exited
                or any(line.process == started.pid for line in self.lines("ready"))
            ),
            "a worker",
        )
        if started.has_exited:
            started.finish()
        return started

    def starting_worker(self, *, url: str | None = None, **settings: str) -> Process:
        """Start a worker."""
        command = self.system.worker or (*self.system.script, "work")
        return self._start(command, url or self.url, settings)

    def enqueue(self, handler: str, count: int = 1, seconds: float = 0) -> range:
        """Commit jobs, and return their numbers."""
        jobs = range(self._jobs, self._jobs + count)
        self._jobs += count
        self._run("enqueue", handler, seconds, jobs.start, count).finish()
        return jobs

    def produce(self, every: float) -> Process:
        """Start to commit a job every so many seconds."""
        return self._run("produce", every)

    def open_gate(self, jobs: Iterable[int], turn: int | None = None) -> None:
        """Let jobs go on, or one run of each."""
        for job in jobs:
            diary.gate(self.folder, job, turn).touch()

    def lines(self, what: str, job: int | None = None) -> list[Line]:
        """Return lines of the diary."""
        every = self._diary.lines()
        return [line for line in every if line.what == what and job in {None, line.job}]

    def starts(self, jobs: Iterable[int]) -> dict[int, list[float]]:
        """Return when each of these jobs was started, each time."""
        found: dict[int, list[float]] = {job: [] for job in jobs}
        for line in self.lines("start"):
            if line.job in found:
                found[line.job].append(line.at)
        return found

    def ended(self) -> set[int]:
        """Return the jobs whose handlers have come to their end."""
        return {line.job for line in self.lines("end")}

    def until_started(
        self, jobs: Iterable[int], times: int = 1, deadline: float = PATIENCE
    ) -> bool:
        """Wait until each job was started so often; return whether that was before the deadline."""
        wanted = list(jobs)
        return self.until(
            lambda: all(len(at) >= times for at in self.starts(wanted).values()), deadline
        )

    def until(
        self, condition: Callable[[], bool], deadline: float = PATIENCE, *, every: float = 0.02
    ) -> bool:
        """Wait for a condition; return whether it came true before the deadline."""
        end = time.monotonic() + deadline
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(every)
        return True

    def must(self, condition: Callable[[], bool], what: str, deadline: float = PATIENCE) -> None:
        """Wait for what the measurement needs; raise `BenchFailedError` if it does not come."""
        if not self.until(condition, deadline):
            logs = [line for one in self._processes for line in one.log.splitlines()[-10:]]
            raise BenchFailedError("\n".join([f"{deadline:g} s without {what}", *logs]))

    def count(self, query: str) -> int:
        """Return the number that a query finds."""
        with psycopg.connect(libpq_url(self.url), autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
        return int(row[0] or 0) if row else 0

    def close(self) -> None:
        """End every process."""
        for process in self._processes:
            process.kill()

    def _run(self, *command: object) -> Process:
        return self._start((*self.system.script, *map(str, command)), self.url, {})

    def _start(self, command: Iterable[str], url: str, settings: Mapping[str, str]) -> Process:
        started = Process(command, self.folder, url, settings)
        self._processes.append(started)
        return started


@contextmanager
def stage(system: System, url: str) -> Iterator[Stage]:
    """Set up a system in the database at ``url``, and end its processes in the end."""
    with TemporaryDirectory(prefix="figures-") as folder:
        made = Stage(system, url, Path(folder))
        try:
            yield made
        finally:
            made.close()


def _over_tcp(url: str) -> str:
    """Return a URL that every driver reads."""
    plain = make_url(url).set(drivername="postgresql")
    return plain.render_as_string(hide_password=False)
