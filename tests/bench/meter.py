"""What a run costs: seconds, CPU of both sides, statements, transactions, WAL and memory."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psutil

from tests.bench.cpu import cpu_of
from tests.bench.results import Figures
from tests.bench.server import Server


@dataclass(frozen=True, slots=True)
class Reading:
    """Where the counters stand. NaN: not known here."""

    at: float
    worker_cpu: float
    server_cpu: float
    all_cpu: float
    own_cpu: float
    statements: float
    wal: float
    memory: float


class Meter:
    """Reads the counters of worker processes and of the server that they work on."""

    def __init__(self, server: Server, database: str, workers: Sequence[int]) -> None:
        self._server = server
        self._database = database
        self._workers = [psutil.Process(pid) for pid in workers]
        pid = server.local.pid
        self._postmaster = psutil.Process(pid) if pid else None

    def read(self) -> Reading:
        """Read all counters."""
        busy = psutil.cpu_times()
        return Reading(
            at=time.monotonic(),
            worker_cpu=self.worker_cpu(),
            server_cpu=self._server_cpu(),
            all_cpu=busy.user + busy.system + busy.nice + getattr(busy, "steal", 0.0),
            own_cpu=time.process_time(),
            statements=self.statements(),
            wal=self._wal(),
            memory=self.memory(),
        )

    def worker_cpu(self) -> float:
        """Return the seconds of CPU that the workers have used."""
        return sum(_seconds(self._workers))

    def memory(self) -> float:
        """Return the resident memory of the workers, in MB."""
        return sum(worker.memory_info().rss for worker in self._workers) / 2**20

    def _server_cpu(self) -> float:
        """Add up the server's processes; those that ended are in the postmaster's own account."""
        if self._postmaster is None:
            return float("nan")
        times = self._postmaster.cpu_times()
        ended = float(times.children_user + times.children_system)
        return ended + sum(_seconds([self._postmaster, *self._postmaster.children()]))

    def statements(self) -> float:
        """Return how many statements were run in the database."""
        if not self._server.counts_statements:
            return float("nan")
        (calls,) = self._server.ask(
            "SELECT coalesce(sum(calls), 0)::float8 FROM pg_stat_statements AS s"
            " JOIN pg_database AS d ON d.oid = s.dbid WHERE d.datname = %s",
            self._database,
        )
        return float(str(calls))

    def _wal(self) -> float:
        (position,) = self._server.ask(
            "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8"
        )
        return float(str(position))


def _seconds(processes: Iterable[psutil.Process]) -> Iterable[float]:
    for process in processes:
        exact = cpu_of(process.pid)
        if exact is not None:
            yield exact
            continue
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        yield float(times.user + times.system)


def cost_per_job(before: Reading, after: Reading, jobs: int, *, own_statements: int) -> Figures:
    """Return what lies between two readings, for each of ``jobs``.

    others: Percent of all CPUs that neither side of the benchmark used, but somebody else did.
    """
    seconds = after.at - before.at
    worker = after.worker_cpu - before.worker_cpu
    server = after.server_cpu - before.server_cpu
    own = after.own_cpu - before.own_cpu
    others = (after.all_cpu - before.all_cpu - worker - server - own) / seconds
    return {
        "rate": jobs / seconds,
        "worker": worker / jobs * 1e6,
        "server": server / jobs * 1e6,
        "cpu": (worker + server) / jobs * 1e6,
        "statements": (after.statements - before.statements - own_statements) / jobs,
        "wal": (after.wal - before.wal) / jobs,
        "memory": after.memory,
        "others": max(0.0, others / (psutil.cpu_count() or 1) * 100),
    }
