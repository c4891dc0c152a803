"""Plays one schedule: faults and deeds at their times, then quiet, then the check."""

from __future__ import annotations

import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.orm import sessionmaker

from soniq_sa import SoniqSession
from soniq_sa.engines import make_sync_engine
from soniq_sa.localserver import LocalServer, local_server
from tests.faults.nursery import NurseryWorker
from tests.faults.proxy import let_pass
from tests.faults.schedules.checker import check
from tests.faults.schedules.fault import Fault, NotHere
from tests.faults.schedules.faults import FAULTS
from tests.faults.schedules.history import History, Row, operations
from tests.faults.schedules.plan import Schedule
from tests.faults.schedules.producers import Producers, replay
from tests.faults.schedules.report import Result
from tests.faults.schedules.stage import Stage, stage_for
from tests.process.private_server import PrivateServer

QUIET = 90.0
"""Seconds in which all jobs have to end when nothing is disturbed any more."""

LEAVING = 30.0
_LOOK_EVERY = 0.02

TROUBLE = (
    "failed, and tries again",
    "Traceback (most recent call last)",
    "never retrieved",
    "Exception in thread",
    "Task was destroyed",
)
"""What a worker does not log, whatever happens around it."""

_JOBS = """
SELECT id::text, task, state, reason, attempts, max_attempts, claims, crashes, replay_of::text,
       args ->> 'parent' AS parent, (args ->> 'order')::int AS "order",
       EXISTS (SELECT FROM soniq_workers AS worker
               WHERE worker.id = job.worker_id AND worker.expires_at > clock_timestamp()) AS owned
FROM soniq_jobs AS job
"""
_UNFINISHED = """
SELECT count(*) AS unfinished FROM soniq_jobs WHERE state IN ('scheduled', 'queued', 'processing')
"""
_CRASHED = """
SELECT id, task FROM soniq_jobs WHERE state = 'dead' AND replays = 0
AND reason = 'crashed worker' AND task NOT IN ('poison', 'doomed')
"""


@dataclass
class Arena:
    """A server of one's own, which schedules are played on one after the other."""

    local: LocalServer
    server: PrivateServer

    def play(
        self, schedule: Schedule, *, mutant: str | None = None, quiet: float = QUIET
    ) -> Result:
        """Play a schedule; what it leaves behind is kept if something is wrong with it."""
        began = time.monotonic()
        folder = Path(tempfile.mkdtemp(prefix=f"soniq-schedule-{schedule.seed}-"))
        with stage_for(schedule, self.local, self.server, folder, mutant) as stage:
            stage.journal.note("schedule", **schedule.as_json())
            skipped = _disturb(stage, schedule)
            drained = _let_work(stage, quiet)
            history = _history(stage)
        return Result.of(
            schedule,
            history,
            check(history),
            skipped=skipped,
            folder=folder,
            seconds=time.monotonic() - began,
            drained=drained,
        )


@contextmanager
def arena() -> Iterator[Arena]:
    """Run a server that may be stopped and started."""
    # Up to version 17 an immediate stop waits for connections that were refused during a recovery and whose
    # clients say nothing, as behind a blackhole: for the time that a client may take to sign in.
    settings = {"max_connections": "200", "authentication_timeout": "5s"}
    with local_server(sources=("binaries", "embedded"), durable=True, settings=settings) as local:
        server = PrivateServer(local)
        try:
            yield Arena(local, server)
        finally:
            server.close()


def _disturb(stage: Stage, schedule: Schedule) -> list[str]:
    """Do all that is planned; return what this machine could not do."""
    faults = [FAULTS[one.kind](stage, one) for one in schedule.faults]
    skipped: list[str] = []
    steps = sorted(
        (at, number, step)
        for number, planned in enumerate(schedule.faults)
        for at, step in ((planned.at, "begin"), (planned.at + planned.lasts, "end"))
        if step == "begin" or planned.lasts
    )
    while steps[0][0] == 0:
        _step(stage, faults, steps.pop(0), skipped)
    stage.until_started()
    producers = Producers(stage, schedule.deeds)
    producers.start()
    start = time.monotonic()
    for step in steps:
        _until(stage, start + step[0])
        _step(stage, faults, step, skipped)
    _calm(stage)
    while producers.is_alive():
        stage.supervise()
        producers.join(_LOOK_EVERY)
    if producers.failed:
        stage.exits.append(f"the producers: {producers.failed}")
    return skipped


def _step(
    stage: Stage, faults: list[Fault], step: tuple[float, int, str], skipped: list[str]
) -> None:
    """Begin or end a fault."""
    _, number, what = step
    planned = faults[number].planned
    stage.journal.note(f"fault {what}s", kind=planned.kind, seat=planned.seat)
    try:
        getattr(faults[number], what)()
    except NotHere as reason:
        skipped.append(f"{planned.kind}: {reason}")


def _until(stage: Stage, moment: float) -> None:
    """Supervise until a moment has come."""
    pause = threading.Event()
    while (left := moment - time.monotonic()) > 0:
        stage.supervise()
        pause.wait(min(left, _LOOK_EVERY))


def _calm(stage: Stage) -> None:
    """Undo what faults that met each other may have left of each other."""
    for proxy in stage.proxies:
        proxy.judge_request = proxy.judge_answer = let_pass
        proxy.delay = 0.0
        proxy.refusing = False
        proxy.reset(lambda link: link.frozen)


def _let_work(stage: Stage, quiet: float) -> float:
    """Wait until all jobs have ended, replay what died of crashes, and have the workers leave."""
    began = time.monotonic()
    stage.journal.note("quiet")
    if _drained(stage, quiet):
        _replay_crashed(stage)
        _drained(stage, quiet)
    drained = time.monotonic() - began
    stage.until_started()
    for seat in stage.seats:
        seat.gently = True
        seat.worker.signal(signal.SIGTERM)
    leaving = [seat.worker for seat in stage.seats]
    deadline = time.monotonic() + LEAVING
    pause = threading.Event()
    while any(one.exit_code is None for one in leaving) and time.monotonic() < deadline:
        pause.wait(_LOOK_EVERY)
    stage.exits += [found for one in leaving for found in _left_badly(one)]
    return drained


def _drained(stage: Stage, quiet: float) -> bool:
    """Wait until nothing waits or runs; return whether that came."""
    deadline = time.monotonic() + quiet
    pause = threading.Event()
    while time.monotonic() < deadline:
        stage.supervise()
        with suppress(psycopg.OperationalError):  # the server may still be recovering
            if stage.rows(_UNFINISHED)[0].unfinished == 0:
                return True
        pause.wait(10 * _LOOK_EVERY)
    return False


def _replay_crashed(stage: Stage) -> None:
    """Do what an operator does with jobs that died because their workers did."""
    engine = make_sync_engine(stage.url)
    for dead in stage.rows(_CRASHED):
        with sessionmaker(engine, class_=SoniqSession)() as session:
            replay(stage, session, dead.id, dead.task)
    engine.dispose()


def _left_badly(worker: NurseryWorker) -> Iterator[str]:
    if worker.exit_code is None:
        yield f"{worker.log_file.name} did not end in {LEAVING:g} s after SIGTERM"
    elif worker.exit_code != 0:
        yield f"{worker.log_file.name} ended with {worker.exit_code} after SIGTERM"


def _history(stage: Stage) -> History:
    told = Counter(row.job_id for row in stage.rows("SELECT job_id::text FROM effects"))
    rows: dict[str, Any] = {row.id: Row(**row._asdict()) for row in stage.rows(_JOBS)}
    paid = {row.id: row.paid for row in stage.rows("SELECT id, paid FROM orders")}
    taken = stage.rows("SELECT count(*) AS count FROM taken")[0].count
    logs = [
        f"{worker.log_file.name}: {part!r}"
        for worker in stage.nursery.workers
        for part in TROUBLE
        if part in worker.log
    ]
    return History(
        rows=rows,
        effects=told,
        paid=paid,
        taken=taken,
        exits=[*stage.exits, *logs],
        **operations(stage.journal.lines()),
    )
