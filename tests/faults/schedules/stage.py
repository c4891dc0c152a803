"""What a schedule is played on: a database, workers in their seats, and proxies in front of them."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import Row, namedtuple_row
from sqlalchemy import Engine, make_url
from sqlalchemy.orm import sessionmaker

from soniq_sa import SoniqSession
from soniq_sa.engines import make_sync_engine
from soniq_sa.localserver import LocalServer
from soniq_sa.localserver.databases import libpq_url
from tests.faults.nursery import Nursery, NurseryWorker, nursery_in
from tests.faults.pooler import pooler_before
from tests.faults.proxy import Proxy, proxy_before
from tests.faults.schedules.app import Base
from tests.faults.schedules.journal import JOURNAL, Journal
from tests.faults.schedules.mutants import MUTANT
from tests.faults.schedules.plan import DOOR, SEATS, Schedule
from tests.process.private_server import PrivateServer
from tests.process.yard import LOOP, until

STARTING = 180.0
"""Seconds that a worker may take to start, on a machine that is busy with other things."""

POOLED = (1, 3)
"""The seats of the workers that a pooler stands before, in schedules that have one."""

WITNESS = """
CREATE TABLE taken (worker_id uuid NOT NULL, at timestamptz NOT NULL);
CREATE FUNCTION note_taken() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.expires_at > clock_timestamp() AND EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND pid <> pg_backend_pid()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (classid::bigint << 32 | objid::bigint) = OLD.lock_key
  ) THEN
    INSERT INTO taken VALUES (OLD.id, clock_timestamp());
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER note_taken AFTER DELETE ON soniq_workers FOR EACH ROW EXECUTE FUNCTION note_taken();
"""
"""Notes who was taken for dead while his lease ran and another backend, his own, held his lock."""


class Seat:
    """A place for one worker, which its supervisor fills again when it becomes empty.

    expected: Whether the end of the worker that sits there is no surprise.
    gently: Whether it was asked to leave, and so has to end with 0.
    settings: What differs for the next worker there.
    """

    def __init__(self, nursery: Nursery, url: str, number: int, settings: dict[str, str]) -> None:
        self.number = number
        self.settings = settings
        self.own: dict[str, str] = {}
        self.expected = False
        self.gently = False
        self._nursery = nursery
        self._url = url
        self.worker: NurseryWorker = self.fill()

    def fill(self) -> NurseryWorker:
        """Start a worker."""
        self.expected = self.gently = False
        self.worker = self._nursery.worker(
            self._url, fresh=bool(self.own), **self.settings, **self.own
        )
        return self.worker


class Stage:
    """All that faults and producers work with.

    seats, proxies: Of the workers, by number; the last proxy is the door of the producers.
    exits: What is to be said of workers that ended by themselves.
    """

    def __init__(
        self,
        server: PrivateServer,
        url: str,
        *,
        journal: Journal,
        nursery: Nursery,
        proxies: list[Proxy],
        seats: list[Seat],
        mutant: str | None = None,
    ) -> None:
        self.server = server
        self.url = url
        self.journal = journal
        self.nursery = nursery
        self.proxies = proxies
        self.seats = seats
        self.exits: list[str] = []
        self.engine: Engine = make_sync_engine(make_url(proxies[DOOR].url))
        if mutant == "enqueued apart":
            self.engine = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self.sessions = sessionmaker(self.engine, class_=SoniqSession)

    def supervise(self) -> None:
        """Fill the seats that have become empty, and note whose end nobody expected."""
        for seat in self.seats:
            code = seat.worker.exit_code
            if code is None:
                continue
            poisoned = any(
                line["process"] == seat.worker.pid for line in self.journal.lines("dies")
            )
            gone = f"worker {seat.worker.log_file.name}, process {seat.worker.pid},"
            if poisoned or seat.expected:
                pass
            elif not seat.gently:
                self.exits.append(f"{gone} ended by itself with {code}")
            elif code != 0 and not (code == -signal.SIGTERM and not seat.worker.started):
                self.exits.append(f"{gone} ended with {code} after SIGTERM")
            self.journal.note("gone", worker=seat.worker.pid, code=code)
            seat.fill()

    def until_started(self) -> None:
        """Wait until all workers are there."""

        def all_started() -> bool:
            self.supervise()
            return all(seat.worker.started for seat in self.seats)

        until(
            all_started,
            lambda: "\n".join(f"worker {one.number}: {one.worker.log}" for one in self.seats),
            STARTING,
        )

    def rows(self, statement: str, *parameters: Any) -> list[Row]:
        """Execute a statement in a transaction of its own, directly."""
        with psycopg.connect(
            libpq_url(self.url),
            autocommit=True,
            row_factory=namedtuple_row,
            application_name="stage",
            connect_timeout=5,
        ) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def stage_for(
    schedule: Schedule,
    local: LocalServer,
    server: PrivateServer,
    folder: Path,
    mutant: str | None = None,
) -> Iterator[Stage]:
    """Set the stage of a schedule; its processes and its database are gone at the end."""
    name = f"schedule_{schedule.seed}_{secrets.token_hex(4)}"
    url = local.create_database(name)
    _create_tables(url)
    journal = Journal(folder / "journal")
    environment = {
        "SONIQ_SA_APP": "tests.faults.schedules.app:soniq",
        "SONIQ_SA_LOOP": LOOP,
        JOURNAL: str(journal.file),
        **({} if mutant is None else {MUTANT: mutant}),
    }
    with ExitStack() as stack:
        stack.callback(local.drop_database, name)
        fronts = [_front(schedule, number, url, stack) for number in range(SEATS + 1)]
        proxies = [stack.enter_context(proxy_before(front)) for front in fronts]
        nursery = stack.enter_context(nursery_in(folder, environment))
        seats = [
            Seat(nursery, proxies[number].url, number, schedule.settings) for number in range(SEATS)
        ]
        made = Stage(
            server,
            url,
            journal=journal,
            nursery=nursery,
            proxies=proxies,
            seats=seats,
            mutant=mutant,
        )
        stack.callback(made.engine.dispose)
        made.until_started()
        yield made


def _create_tables(url: str) -> None:
    engine = make_sync_engine(url)
    Base.metadata.create_all(engine)
    engine.dispose()
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(WITNESS)


def _front(schedule: Schedule, number: int, url: str, stack: ExitStack) -> str:
    """Return the URL that a proxy stands before: the server's, or that of a pooler."""
    if schedule.pooled and number in POOLED:
        return stack.enter_context(pooler_before(url, size=20)).url
    return url
