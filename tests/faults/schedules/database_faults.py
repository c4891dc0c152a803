"""What may happen to PostgreSQL and its backends."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import psycopg

from tests.faults.schedules.fault import Fault

QUERIES = {
    "claimer": "%picked%",
    "recorder": "UPDATE soniq_jobs SET state=%",
    "lease": "%soniq_workers%",
    "listener": "LISTEN%",
    "handler": "%COMMIT%",
}
"""What the connections of workers have last executed, by their role."""

_BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name <> 'stage' AND query LIKE %s ORDER BY pid"
)


class Restart(Fault):
    """An immediate stop, as of ``pg_ctl stop -m immediate``, and a start after some time."""

    def begin(self) -> None:
        self.stage.server.stop_immediately()

    def end(self) -> None:
        self.stage.server.start()


class _OnBackend(Fault):
    """A fault on one backend, chosen by its share of all that are meant."""

    def find(self, role: str | None) -> int | None:
        with suppress(psycopg.OperationalError):
            found = self.stage.rows(_BACKENDS, "%" if role is None else QUERIES[role])
            if found:
                pid: int = found[int(self.planned.detail["share"] * len(found))].pid
                return pid
        return None


class CrashBackend(_OnBackend):
    """SIGKILL of a backend: the server ends all others too, and recovers."""

    def begin(self) -> None:
        backend = self.find(None)
        if backend is not None:
            with suppress(ProcessLookupError):
                os.kill(backend, signal.SIGKILL)


class TerminateBackend(_OnBackend):
    """``pg_terminate_backend`` of one connection of some worker."""

    def begin(self) -> None:
        backend = self.find(self.planned.detail["role"])
        if backend is not None:
            with suppress(psycopg.OperationalError):
                self.stage.rows("SELECT pg_terminate_backend(%s)", backend)
