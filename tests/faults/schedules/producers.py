"""Those who enqueue: they commit, roll back or die before that, and change jobs afterwards.

The journal knows of each batch before its COMMIT is sent, and of its fate after the answer:
``committed``, ``rolled back``, or ``unknown`` if there was no answer. Then the table says which.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from soniq_sa import SoniqSession
from soniq_sa.engines import make_sync_engine
from soniq_sa.errors import JobNotFoundError
from tests.faults.schedules import app
from tests.faults.schedules.journal import note
from tests.faults.schedules.plan import Deed
from tests.faults.schedules.stage import Stage
from tests.process.yard import until

PATIENCE = 60.0
"""Seconds in which a batch has to come through; after faults have ended a moment is enough."""

JOBS = "TEST_JOBS"
"""The environment variable with the jobs of a producer that is going to be killed."""

AWAY = (DBAPIError, PoolTimeout)
"""What a session raises when the database does not answer."""

_PAUSE = 0.1

Jobs = Iterable[tuple[str, Mapping[str, Any], float]]


class Producers(threading.Thread):
    """Does what is planned, one deed after the other, in a thread of its own."""

    def __init__(self, stage: Stage, deeds: Sequence[Deed]) -> None:
        super().__init__(name="producers", daemon=True)
        self.failed: str | None = None
        self._stage = stage
        self._deeds = deeds
        self._known: list[tuple[UUID, str]] = []
        self._waiting = threading.Event()

    def run(self) -> None:
        """Do all deeds."""
        start = time.monotonic()
        try:
            for deed in self._deeds:
                self._waiting.wait(max(0.0, start + deed.at - time.monotonic()))
                self._do(deed)
        except Exception as error:
            self.failed = f"{type(error).__name__}: {error}"
            raise

    def _do(self, deed: Deed) -> None:
        match deed.verb:
            case "enqueue":
                self._enqueue(deed)
            case "roll_back":
                self._roll_back(deed)
            case "die":
                self._die(deed)
            case "replay":
                replay_first(self._stage)
            case _:
                self._change(deed)

    def _enqueue(self, deed: Deed) -> None:
        """Enqueue a batch; if it was refused, or nobody knows, another one in its place."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            made = commit(self._stage, self._stage.sessions, deed.jobs)
            if made:
                self._known += made
                return
            self._waiting.wait(_PAUSE)
        raise AssertionError(f"no batch came through in {PATIENCE:g} s")

    def _roll_back(self, deed: Deed) -> None:
        try:
            with self._stage.sessions() as session:
                batch, _ = add_jobs(session, deed.jobs, self._stage.journal.note)
                session.rollback()
        except AWAY:
            return
        self._stage.journal.note("fate", batch=batch, fate="rolled back")

    def _die(self, deed: Deed) -> None:
        """Have another process enqueue and flush a batch, and kill it before its COMMIT."""
        process = self._stage.nursery.call(
            "tests.faults.schedules.producers:flush_and_wait",
            SONIQ_SA_DATABASE_URL=self._stage.url,
            **{JOBS: json.dumps(deed.jobs)},
        )
        until(
            lambda: process.exit_code is not None or "flushed" in process.log,
            "a producer to flush",
            PATIENCE,
        )
        process.kill()

    def _change(self, deed: Deed) -> None:
        wanted = "fail_once" if deed.verb == "retry_now" else None
        known = [one for one, task in self._known if wanted in {None, task}]
        if not known:
            return
        job = known[int(deed.detail["pick"] * len(known))]
        number = deed.detail["number"]
        more: tuple[Any, ...] = {"reschedule": (number,), "set_priority": (int(number * 100),)}.get(
            deed.verb, ()
        )
        told = {"verb": deed.verb, "job": str(job)}
        self._stage.journal.note("ask", **told, delay=number if deed.verb == "reschedule" else 0.0)
        try:
            with self._stage.sessions.begin() as session:
                answer = getattr(app.soniq.control, deed.verb)(session, job, *more)
        except (*AWAY, JobNotFoundError):
            return
        self._stage.journal.note("answer", **told, answer=None if answer is None else str(answer))


def commit(
    stage: Stage, sessions: sessionmaker[SoniqSession], jobs: Jobs
) -> list[tuple[UUID, str]]:
    """Commit a batch, and return the ids and tasks of its jobs; nothing if it may have failed."""
    batch = None
    try:
        with sessions() as session:
            batch, made = add_jobs(session, jobs, stage.journal.note)
            session.commit()
    except AWAY:
        if batch is not None:
            stage.journal.note("fate", batch=batch, fate="unknown")
        return []
    stage.journal.note("fate", batch=batch, fate="committed")
    return made


def add_jobs(session: SoniqSession, jobs: Jobs, tell: Any) -> tuple[str, list[tuple[UUID, str]]]:
    """Enqueue jobs, tell the journal of them, and flush; return the name of the batch and the jobs."""
    made = []
    told = []
    for name, given, delay in jobs:
        arguments = dict(given)
        if name == "pay":
            arguments["order"] = app.Order()
            session.add(arguments["order"])
        task = getattr(app, name)
        handle = session.enqueue(task.options(delay=delay) if delay else task, **arguments)
        made.append((handle.id, name))
        told.append({"id": str(handle.id), "task": name, "delay": delay})
    batch = uuid4().hex
    tell("enqueue", batch=batch, jobs=told)
    session.flush()
    return batch, made


def enqueue_one(stage: Stage, task: Any, arguments: Mapping[str, Any]) -> None:
    """Commit one job, over a connection that no proxy disturbs."""
    engine = make_sync_engine(stage.url)
    commit(stage, sessionmaker(engine, class_=SoniqSession), [(task.name, arguments, 0)])
    engine.dispose()


def replay_first(stage: Stage) -> None:
    """Replay the oldest dead letter."""
    try:
        with stage.sessions() as session:
            for letter in app.soniq.dead_letters.within(session).list(limit=1, oldest_first=True):
                replay(stage, session, letter.id, letter.task)
    except AWAY:
        return


def replay(stage: Stage, session: Session, dead: UUID, task: str) -> None:
    """Commit a replay, and tell the journal of it."""
    new = app.soniq.dead_letters.within(session).replay(dead)
    batch = uuid4().hex
    stage.journal.note("enqueue", batch=batch, jobs=[{"id": str(new), "task": task, "delay": 0}])
    try:
        session.commit()
    except AWAY:
        stage.journal.note("fate", batch=batch, fate="unknown")
        return
    stage.journal.note("fate", batch=batch, fate="committed")


def flush_and_wait() -> None:
    """Enqueue and flush, say so, and wait to be killed. Runs in a process of its own."""
    engine = make_sync_engine(os.environ["SONIQ_SA_DATABASE_URL"])
    session = sessionmaker(engine, class_=SoniqSession)()
    batch, _ = add_jobs(session, json.loads(os.environ[JOBS]), note)
    note("fate", batch=batch, fate="rolled back")
    os.write(2, b"flushed\n")
    signal.pause()
