"""A process that forks workers: each is a process of its own and starts in a moment.

Run as ``python -m tests.faults.nursery``. It reads one JSON object a line (``environment``, ``log``),
answers with the id of a new process that runs ``soniq-sa worker``, and kills them all at its end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from soniq_sa.cli.main import main
from tests.process import shop
from tests.process.yard import ROOT, Yard, until


class NurseryWorker:
    """A forked worker."""

    def __init__(self, pid: int, log_file: Path) -> None:
        self.pid = pid
        self.log_file = log_file

    @property
    def log(self) -> str:
        """Return what the process has logged."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def until_started(self) -> NurseryWorker:
        """Wait until the worker is registered and claims."""
        until(lambda: " started: " in self.log, lambda: f"a start: {self.log}")
        return self

    def kill(self) -> None:
        """End the process at once."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the process as an operator does, and wait for its end."""
        os.kill(self.pid, signal.SIGTERM)
        until(lambda: not _alive(self.pid), lambda: f"the end: {self.log}")


class Nursery:
    """The test's side of the nursery."""

    def __init__(self, yard: Yard, process: subprocess.Popen[str]) -> None:
        self.workers: list[NurseryWorker] = []
        self._yard = yard
        self._process = process

    def worker(self, url: str | None = None, **settings: str) -> NurseryWorker:
        """Fork a worker."""
        log = self._yard.folder / f"forked-{len(self.workers)}.log"
        environment = {
            "SONIQ_SA_DATABASE_URL": url or self._yard.url,
            shop.DIARY: str(self._yard.diary),
            **settings,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({"environment": environment, "log": str(log)})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        made = NurseryWorker(int(self._process.stdout.readline()), log)
        self.workers.append(made)
        return made


@contextmanager
def nursery_for(yard: Yard) -> Iterator[Nursery]:
    """Run a nursery; no process of it is left at the end."""
    clean = {name: one for name, one in os.environ.items() if not name.startswith("SONIQ_SA_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.nursery"],
        cwd=ROOT,
        env=clean,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    made = Nursery(yard, process)
    try:
        yield made
    finally:
        process.communicate(timeout=10)
        for worker in made.workers[-4:]:
            print(f"--- {worker.log_file.name}, process {worker.pid}\n{worker.log}")  # noqa: T201


def serve() -> None:
    """Fork a worker for each line, and kill them all when there are no more lines."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    children = []
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            run_worker(order)
        children.append(pid)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def run_worker(order: dict[str, object]) -> None:
    """Become a worker."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    log = os.open(str(order["log"]), os.O_WRONLY | os.O_CREAT)
    for target, source in enumerate((nothing, nothing, log)):
        os.dup2(source, target)
    os.environ.update(order["environment"])  # type: ignore[call-overload]
    sys.argv = ["soniq-sa", "worker", "--app", "tests.process.shop:soniq"]
    try:
        main()
    finally:
        os._exit(0)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    serve()
