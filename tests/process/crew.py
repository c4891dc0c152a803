"""A supervisor with its worker processes."""

from __future__ import annotations

import os
import signal

import psutil

from tests.process.yard import PATIENCE, WorkerProcess, Yard, until


class Crew:
    """What ``soniq-sa worker --processes N`` has started."""

    def __init__(self, yard: Yard, size: int, *arguments: str, **settings: str) -> None:
        self.yard = yard
        self.size = size
        self._seen: set[psutil.Process] = set()
        yard.own_groups = True
        yard.arguments = ("--processes", str(size), *arguments)
        self.supervisor = yard.starting_worker(**settings)
        yard.arguments = ()

    @property
    def log(self) -> str:
        """Return what all of them have logged."""
        return self.supervisor.log

    def members(self) -> set[int]:
        """Return the ids of the processes that run."""
        found = psutil.Process(self.supervisor.pid).children()
        self._seen.update(found)
        return {one.pid for one in found if one.status() != psutil.STATUS_ZOMBIE}

    def registered(self) -> set[int]:
        """Return the ids of the processes that are in the table of the workers."""
        names = self.yard.rows("SELECT name FROM soniq_workers")
        return {int(name.rpartition(":")[2]) for (name,) in names}

    def until_complete(self) -> set[int]:
        """Wait until as many processes as there should be are registered, and return their ids."""
        until(
            lambda: len(self.members()) == self.size and self.members() == self.registered(),
            lambda: f"{self.size} workers, there are {self.registered()}:\n{self.log}",
            2 * PATIENCE,
        )
        return self.registered()

    def until_all_log(self, part: str) -> None:
        """Wait until as many lines as there are processes hold ``part``."""
        until(
            lambda: self.log.count(part) >= self.size,
            lambda: f"{self.size} times {part!r}:\n{self.log}",
        )

    def until_gone(self) -> None:
        """Wait until none of its processes is left; one that nobody waits for counts as gone."""
        until(lambda: not any(runs(one) for one in self._seen), lambda: f"all to end:\n{self.log}")

    def signal_everyone(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor and to each process, as a service manager may do."""
        for pid in (*self.members(), self.supervisor.pid):
            os.kill(pid, number)

    def close(self) -> None:
        """End every process."""
        if self.supervisor.popen.poll() is None:
            self.members()
        self.supervisor.kill()
        for one in self._seen:
            if runs(one):
                one.kill()


def runs(process: psutil.Process) -> bool:
    """Tell whether a process has not ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def assert_exits(worker: WorkerProcess, code: int = 0) -> None:
    """Check how a process ends."""
    assert worker.exit_code(2 * PATIENCE) == code, worker.log
