"""Real worker processes on one database, and what a test asks about them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import Row, namedtuple_row
from sqlalchemy import make_url
from sqlalchemy.orm import sessionmaker

from soniq_sa import AuditResult, JobHandle, Soniq, SoniqSession
from soniq_sa.engines import make_sync_engine
from soniq_sa.localserver.databases import libpq_url
from tests.process import shop

ROOT = Path(__file__).parents[2]
PATIENCE = 15.0

LOOP = os.environ.get("SONIQ_TEST_LOOP", "auto")
"""The event loop of all workers that a test does not start on another one."""

SHORT_LEASE = {
    "SONIQ_SA_LEASE": "1.5",
    "SONIQ_SA_HEARTBEAT": "0.3",
    "SONIQ_SA_RESCUE_INTERVAL": "0.2",
}


@dataclass(frozen=True)
class Line:
    """One line of the diary."""

    what: str
    job: UUID
    attempt: int
    process: int
    at: float


class WorkerProcess:
    """One process ``python -m soniq_sa worker``."""

    def __init__(self, yard: Yard, number: int, url: str, settings: dict[str, str]) -> None:
        self.log_file = yard.folder / f"worker-{number}.log"
        arguments = ["worker", "--app", "tests.process.shop:soniq", *yard.arguments]
        clean = {name: one for name, one in os.environ.items() if not name.startswith("SONIQ_SA_")}
        self._log = self.log_file.open("wb")
        self.popen = subprocess.Popen(
            [*yard.command, "-m", "soniq_sa", *arguments],
            cwd=ROOT,
            env={
                **clean,
                "SONIQ_SA_DATABASE_URL": url,
                "SONIQ_SA_LOOP": LOOP,
                shop.DIARY: str(yard.diary),
                **settings,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            process_group=0 if yard.own_groups else None,
        )

    @property
    def pid(self) -> int:
        """Return the id of the process."""
        return self.popen.pid

    @property
    def log(self) -> str:
        """Return what the process has logged."""
        return self.log_file.read_text(errors="replace")

    def until_log(self, part: str, patience: float = PATIENCE) -> None:
        """Wait until the log holds ``part``."""
        until(lambda: part in self.log, f"{part!r} in the log:\n{self.log}", patience)

    def until_started(self) -> WorkerProcess:
        """Wait until the worker is registered and claims."""
        until(
            lambda: " started: " in self.log or self.popen.poll() is not None,
            "the worker to start",
            4 * PATIENCE,
        )
        assert self.popen.poll() is None, self.log
        return self

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.popen.send_signal(number)

    def kill(self) -> None:
        """End the process at once, and wait for its end."""
        self.popen.kill()
        self.popen.wait(PATIENCE)
        self._log.close()

    def exit_code(self, patience: float = PATIENCE) -> int:
        """Wait for the end of the process and return its exit code."""
        try:
            return self.popen.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still there after {patience:g} s:\n{self.log}") from None


class Yard:
    """A database with the shop's tables, and worker processes on it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.diary = folder / "diary"
        self.diary.touch()
        self.command: tuple[str, ...] = (sys.executable,)
        self.arguments: tuple[str, ...] = ()
        self.own_groups = False
        self.workers: list[WorkerProcess] = []
        self.engine = make_sync_engine(
            make_url(url).update_query_dict({"application_name": "yard"})
        )
        self.sessions = sessionmaker(self.engine, class_=SoniqSession)
        self._gates = 0

    def worker(self, *, url: str | None = None, **settings: str) -> WorkerProcess:
        """Start a worker process, and wait until it claims."""
        return self.starting_worker(url=url, **settings).until_started()

    def starting_worker(self, *, url: str | None = None, **settings: str) -> WorkerProcess:
        """Start a worker process."""
        started = WorkerProcess(self, len(self.workers), url or self.url, settings)
        self.workers.append(started)
        return started

    def kill_workers(self) -> None:
        """End every process."""
        for worker in self.workers:
            worker.kill()

    def close(self) -> None:
        """End every process, and show what they have logged."""
        self.kill_workers()
        for worker in self.workers:
            told = f"process {worker.pid}, ended with {worker.popen.returncode}\n{worker.log}"
            print(f"--- {worker.log_file.name}, {told}")  # noqa: T201
        last = self.diary.read_text().splitlines()[-40:]
        print("--- the end of the diary", *last, sep="\n")  # noqa: T201
        self.engine.dispose()

    def enqueue(self, task: Any, *arguments: Any, **named: Any) -> JobHandle[Any]:
        """Commit a job."""
        with self.sessions.begin() as session:
            handle = session.enqueue(task, *arguments, **named)
            return JobHandle(handle.id, handle.name)

    def enqueue_many(self, task: Any, count: int, **named: Any) -> list[JobHandle[Any]]:
        """Commit jobs."""
        with self.sessions.begin() as session:
            return session.enqueue_many(task, [named] * count)

    def gate(self) -> Path:
        """Return a file that is not there; `open_gate` lets those go on that wait for it."""
        self._gates += 1
        return self.folder / f"gate-{self._gates}"

    def rows(self, statement: str, *parameters: Any) -> list[Row]:
        """Execute a statement in a transaction of its own, directly."""
        url = libpq_url(self.url)
        with psycopg.connect(url, autocommit=True, row_factory=namedtuple_row) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def row(self, handle: JobHandle[Any]) -> Any:
        """Return the row of a job."""
        (found,) = self.rows("SELECT * FROM soniq_jobs WHERE id = %s", handle.id)
        return found

    def until_state(self, handle: JobHandle[Any], state: str, patience: float = PATIENCE) -> Any:
        """Wait until a job has a state, and return its row."""
        until(
            lambda: self.row(handle).state == state,
            lambda: f"{handle.name} to be {state}: {self.row(handle)}",
            patience,
        )
        return self.row(handle)

    def violations(self) -> tuple[AuditResult, ...]:
        """Return what an audit finds wrong, once all jobs have ended."""
        soniq = Soniq(shop.Base.metadata, database_url=self.url)
        return asyncio.run(soniq.audit(patience=1)).violations

    def lines(self, handle: JobHandle[Any] | None = None, what: str | None = None) -> list[Line]:
        """Return the lines of the diary, in their order."""
        found = []
        for text in self.diary.read_text().splitlines():
            line = json.loads(text)
            found.append(Line(**{**line, "job": UUID(line["job"])}))
        return [
            line
            for line in found
            if (handle is None or line.job == handle.id) and (what is None or line.what == what)
        ]

    def starts(self, handle: JobHandle[Any]) -> list[Line]:
        """Return the starts of a job."""
        return self.lines(handle, "start")

    def until_starts(
        self, handle: JobHandle[Any], count: int = 1, patience: float = PATIENCE
    ) -> Line:
        """Wait until a job has been started so often, and return the last start."""
        until(
            lambda: len(self.starts(handle)) >= count,
            lambda: f"start {count} of {handle.name}: {self.row(handle)}",
            patience,
        )
        return self.starts(handle)[count - 1]

    def effects(self, handle: JobHandle[Any]) -> list[int]:
        """Return the processes that have committed an effect of a job."""
        return [
            row.process
            for row in self.rows("SELECT process FROM effects WHERE job_id = %s", handle.id)
        ]

    def worker_of(self, pid: int) -> WorkerProcess:
        """Return the worker that runs in a process."""
        (found,) = [worker for worker in self.workers if worker.pid == pid]
        return found

    def other_than(self, worker: WorkerProcess) -> WorkerProcess:
        """Return the other one of two workers."""
        (found,) = [one for one in self.workers if one is not worker]
        return found


@contextmanager
def yard_at(url: str, folder: Path) -> Iterator[Yard]:
    """Yield a yard; its processes are ended at the end, whatever happened."""
    made = Yard(url, folder)
    try:
        yield made
    finally:
        made.close()


def make_tables(url: str) -> None:
    """Make the shop's tables in a database."""
    engine = make_sync_engine(url)
    shop.Base.metadata.create_all(engine)
    engine.dispose()


def until(
    condition: Callable[[], bool], what: str | Callable[[], str], patience: float = PATIENCE
) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            told = what if isinstance(what, str) else what()
            raise AssertionError(f"waited {patience:g} s for {told}")
        time.sleep(0.01)
