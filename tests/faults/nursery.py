"""A process that forks workers: each is a process of its own and starts in a moment.

Run as ``python -m tests.faults.nursery``. It reads one JSON object a line (see `Nursery`), answers with
the id of the new process, writes the exit code of each that ends into a file beside its log, and kills
those that are left at its end.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from soniq_sa.cli import work, worker  # noqa: F401 - loaded once, for all that are forked
from soniq_sa.cli.main import main
from tests.process import shop
from tests.process.yard import PATIENCE, ROOT, Yard, until

_REAP_EVERY = 0.02
_CLOSING = 60.0


class NurseryWorker:
    """A forked process."""

    def __init__(self, pid: int, log_file: Path) -> None:
        self.pid = pid
        self.log_file = log_file

    @property
    def log(self) -> str:
        """Return what the process has logged."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal; None while the process runs."""
        with suppress(FileNotFoundError):
            return int(_exit_file(self.log_file).read_text())
        return None

    @property
    def started(self) -> bool:
        """Tell whether the worker is registered and claims."""
        return " started: " in self.log

    def until_started(self) -> NurseryWorker:
        """Wait until the worker is registered and claims."""
        until(lambda: self.started, lambda: f"a start: {self.log}", 4 * PATIENCE)
        return self

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the process is there."""
        if self.exit_code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End the process at once."""
        self.signal(signal.SIGKILL)

    def stop(self) -> None:
        """End the process as an operator does, and wait for its end."""
        self.signal(signal.SIGTERM)
        until(lambda: self.exit_code is not None, lambda: f"the end: {self.log}")


class Nursery:
    """The test's side of the nursery.

    folder: Where logs and exit codes are written.
    environment: Of all processes; what is given for one of them comes on top.
    """

    def __init__(
        self, folder: Path, environment: dict[str, str], process: subprocess.Popen[str]
    ) -> None:
        self.workers: list[NurseryWorker] = []
        self._folder = folder
        self._environment = environment
        self._process = process
        self._turn = threading.Lock()

    def worker(
        self, url: str | None = None, *, fresh: bool = False, **settings: str
    ) -> NurseryWorker:
        """Fork a worker; ``fresh``: as a new program, for what is read when a program is loaded."""
        own = {} if url is None else {"SONIQ_SA_DATABASE_URL": url}
        made = self._fork({"environment": own | settings, "fresh": fresh})
        self.workers.append(made)
        return made

    def call(self, function: str, **environment: str) -> NurseryWorker:
        """Fork a process that calls a function, given as ``module:name``."""
        return self._fork({"environment": environment, "call": function})

    def _fork(self, order: dict[str, Any]) -> NurseryWorker:
        with self._turn:
            return self._order(order)

    def _order(self, order: dict[str, Any]) -> NurseryWorker:
        log = self._folder / f"forked-{len(list(self._folder.glob('forked-*.log')))}.log"
        log.touch()
        environment = self._environment | order["environment"]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({**order, "environment": environment, "log": str(log)})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return NurseryWorker(int(self._process.stdout.readline()), log)


@contextmanager
def nursery_for(yard: Yard, *, app: str = "tests.process.shop:soniq") -> Iterator[Nursery]:
    """Run a nursery of workers of ``app``; no process of it is left at the end."""
    environment = {
        "SONIQ_SA_APP": app,
        "SONIQ_SA_DATABASE_URL": yard.url,
        shop.DIARY: str(yard.diary),
    }
    with nursery_in(yard.folder, environment) as made:
        try:
            yield made
        finally:
            for worker in made.workers[-4:]:
                print(f"--- {worker.log_file.name}, process {worker.pid}\n{worker.log}")  # noqa: T201


@contextmanager
def nursery_in(folder: Path, environment: dict[str, str]) -> Iterator[Nursery]:
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
    try:
        yield Nursery(folder, environment, process)
    finally:
        process.communicate(timeout=_CLOSING)


def serve() -> None:
    """Fork a process for each line, and kill them all when there are no more lines."""
    children: dict[int, Path] = {}
    buffer = b""
    while True:
        _reap(children)
        if not select.select([0], [], [], _REAP_EVERY)[0]:
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            break
        *lines, buffer = (buffer + chunk).split(b"\n")
        for line in lines:
            order = json.loads(line)
            pid = os.fork()
            if pid == 0:
                become(order)
            children[pid] = Path(order["log"])
            os.write(1, f"{pid}\n".encode())
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _reap(children: dict[int, Path]) -> None:
    for pid, log in list(children.items()):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            del children[pid]
            draft = log.with_suffix(".draft")
            draft.write_text(str(os.waitstatus_to_exitcode(status)))
            draft.rename(_exit_file(log))


def become(order: dict[str, Any]) -> None:
    """Become a worker, or a process that calls a function."""
    nothing = os.open(os.devnull, os.O_RDWR)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for target, source in enumerate((nothing, nothing, log)):
        os.dup2(source, target)
    os.environ.update(order["environment"])
    if order.get("fresh"):
        program = [sys.executable, "-m", "soniq_sa", "worker"]
        os.execv(sys.executable, program)  # noqa: S606 - there is nothing for a shell to do
    sys.argv = ["soniq-sa", "worker"]
    code = 1
    try:
        if "call" in order:
            module, name = order["call"].split(":")
            getattr(importlib.import_module(module), name)()
        else:
            main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _exit_file(log: Path) -> Path:
    return log.with_suffix(".exit")


if __name__ == "__main__":
    serve()
