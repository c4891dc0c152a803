"""What a run costs: seconds, CPU of both sides, statements and WAL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from tests.bench.server import Server

Figures = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Reading:
    """Where the counters stand. NaN: not known here."""

    at: float
    worker_cpu: float
    server_cpu: float
    statements: float
    wal: float


class Meter:
    """Reads the counters of one worker process and of the server that it works on."""

    def __init__(self, server: Server, database: str, worker: int) -> None:
        self._server = server
        self._database = database
        self._worker = psutil.Process(worker)
        pid = server.local.pid
        self._postmaster = psutil.Process(pid) if pid else None

    def read(self) -> Reading:
        """Read all counters."""
        return Reading(
            time.monotonic(),
            self._worker_cpu(),
            self._server_cpu(),
            self._statements(),
            self._wal(),
        )

    def _worker_cpu(self) -> float:
        times = self._worker.cpu_times()
        return float(times.user + times.system)

    def _server_cpu(self) -> float:
        """Add up the server's processes; those that ended are in the postmaster's own account."""
        if self._postmaster is None:
            return float("nan")
        times = self._postmaster.cpu_times()
        ended = times.children_user + times.children_system
        return float(times.user + times.system + ended + sum(_seconds(self._postmaster.children())))

    def _statements(self) -> float:
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


def _seconds(processes: list[psutil.Process]) -> Iterator[float]:
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        yield float(times.user + times.system)


def cost_per_job(before: Reading, after: Reading, jobs: int, *, own_statements: int) -> Figures:
    """Return what lies between two readings, for each of ``jobs``."""
    worker = (after.worker_cpu - before.worker_cpu) / jobs * 1e6
    server = (after.server_cpu - before.server_cpu) / jobs * 1e6
    return {
        "rate": [jobs / (after.at - before.at)],
        "worker": [worker],
        "server": [server],
        "cpu": [worker + server],
        "statements": [(after.statements - before.statements - own_statements) / jobs],
        "wal": [(after.wal - before.wal) / jobs],
    }
