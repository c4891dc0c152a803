"""Watches how long anybody but Alembic waits for a lock."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import psycopg

from soniq_sa.localserver.databases import libpq_url

OF_ALEMBIC = "migration"
"""The application name of Alembic's connections."""

WAITS = """
    SELECT extract(epoch FROM clock_timestamp() - waitstart), query
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE NOT granted AND waitstart IS NOT NULL AND backend_type = 'client backend'
      AND datname = current_database() AND application_name <> %s ORDER BY 1 DESC LIMIT 1
"""
EVERY = 0.005


class LockWatch:
    """Look every few milliseconds, in a thread of its own, until the block ends."""

    def __init__(self, url: str) -> None:
        self.longest = 0.0
        self.statement = ""
        self.looks = 0
        self._url = libpq_url(url)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lock watch")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._over.wait(EVERY):
                found = connection.execute(WAITS, (OF_ALEMBIC,)).fetchone()
                self.looks += 1
                if found is not None and found[0] > self.longest:
                    self.longest, self.statement = float(found[0]), found[1]

    def __str__(self) -> str:
        return f"longest wait for a lock: {self.longest * 1000:.1f} ms, {self.looks} looks"
