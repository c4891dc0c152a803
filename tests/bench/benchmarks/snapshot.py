"""Claims while some transaction keeps an old snapshot open, so that nothing can be vacuumed.

PostgreSQL cannot remove the index entries of claimed jobs then, and a claim may have to walk past all of
them. What counts is how many there are: as many jobs pass as 300 a second make in ten minutes, however
many minutes this takes. With ``--minutes 10`` it is just that.

The server logs how long each claim took.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
from sqlalchemy import create_engine, make_url

from soniq_sa import SoniqSession
from tests.bench.app import stamp
from tests.bench.cells import Cells, new_cells
from tests.bench.child import Child, finished, running
from tests.bench.plan import Plan, attempt
from tests.bench.results import Figures, Measure, Results, Target, percentile
from tests.bench.server import analyze
from tests.bench.svg import Lines
from tests.bench.systems import OURS, WORKER

NAME = "snapshot"
JOBS = 180_000
TICK = 0.05
PARTS = 30
"""Of the run, for the plot."""

_CLAIM = re.compile(r"duration: ([\d.]+) ms .*UPDATE .* claims=")
_HELD, _FREE = "snapshot held open", "no snapshot"
_MEASURES = (
    Measure("claims", ""),
    Measure("p50", "ms", 2),
    Measure("p99", "ms", 2),
    Measure("first fifth p99", "ms", 2),
    Measure("last fifth p99", "ms", 2),
    Measure("pickup p50", "ms", 2),
    Measure("pickup p99", "ms", 2),
)
_TARGETS = (
    Target("claim p99 with a snapshot held open", "p99", _HELD, most=25),
    Target("claim p99 of the last fifth, snapshot held open", "last fifth p99", _HELD, most=25),
    Target("claim p99, snapshot held open: that without", "p99", _HELD, _FREE),
    Target("pickup p99, snapshot held open: that without", "pickup p99", _HELD, _FREE),
)


def measure(plan: Plan) -> Results:
    """Let jobs pass with and without a snapshot, once each."""
    jobs = JOBS // 6 if plan.quick else JOBS
    rate = jobs / (plan.minutes * 60)
    title = (
        f"{jobs:,} jobs pass at {rate:,.0f} a second while a REPEATABLE READ transaction is open"
    )
    notes = (
        "Times in PostgreSQL, from its log. Autovacuum runs, every second.",
        f"As many jobs as 300 a second make in {jobs / 300 / 60:.1f} minutes.",
    )
    results = Results(NAME, title, _MEASURES, _TARGETS, notes)
    series: dict[str, list[tuple[float, float]]] = {}
    for case in plan.interleave(NAME, [_HELD, _FREE], runs=1):
        points = series.setdefault(case, [])
        held = case == _HELD
        attempt(results, case, lambda h=held, p=points: _pass(plan, jobs, h, p))  # type: ignore[misc]
    title = "Claim times (p99 of each part) while jobs pass"
    results.plots.append(Lines("snapshot", title, "jobs", "ms", series, logarithmic=True))
    return results


def _pass(plan: Plan, jobs: int, held: bool, points: list[tuple[float, float]]) -> Figures:  # noqa: FBT001
    log = plan.server.log
    with (
        plan.server.changed(autovacuum="on", autovacuum_naptime="1s"),
        plan.server.database() as url,
        new_cells(2 * jobs) as stamps,
        psycopg.connect(url) as holder,
    ):
        finished(OURS.command("prepare", 0), url)
        analyze(url)
        _log_statements(url)
        begin = log.stat().st_size if log else 0
        if held:
            holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            holder.execute("SELECT txid_current(), count(*) FROM soniq_jobs")
        with running(WORKER, url, stamps) as worker:
            _feed(url, stamps, jobs, jobs / (plan.minutes * 60), worker)
        return _figures(_claims(log, begin), stamps, jobs, points)


def _log_statements(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET log_min_duration_statement = 0".encode())


def _feed(url: str, stamps: Cells, jobs: int, rate: float, worker: Child) -> None:
    """Commit jobs at the rate, some each tick, and wait until the last one has started."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    began, given = time.monotonic(), 0
    while given < jobs:
        due = min(jobs, int((time.monotonic() - began + TICK) * rate))
        with SoniqSession(engine) as session, session.begin():
            session.enqueue_many(stamp, [{"i": number} for number in range(given, due)])
        committed_at = time.monotonic_ns()
        for number in range(given, due):
            stamps[jobs + number] = committed_at
        given = due
        time.sleep(max(0.0, began + given / rate - time.monotonic()))
    worker.wait_for(lambda: stamps[jobs - 1] > 0, "the last job", every=0.05)
    worker.wait_for(lambda: 0 not in list(stamps)[:jobs], "every job", every=0.1)
    engine.dispose()


def _claims(log: Path | None, begin: int) -> list[float]:
    """Return how long the claims took that the server has logged since, in milliseconds."""
    if log is None:
        return []
    time.sleep(0.5)  # the log is written by another process
    with log.open(errors="replace") as file:
        file.seek(begin)
        text = file.read()
    entries = re.split(r"\n(?=\d{4}-\d\d-\d\d )", text)
    found = (_CLAIM.search(" ".join(entry.split())) for entry in entries)
    return [float(match[1]) for match in found if match]


def _figures(
    claims: Sequence[float], stamps: Cells, jobs: int, points: list[tuple[float, float]]
) -> Figures:
    every = list(stamps)
    waits = [
        (start - commit) / 1e6 for start, commit in zip(every[:jobs], every[jobs:], strict=True)
    ]
    fifth, part = max(1, len(claims) // 5), max(1, len(claims) // PARTS)
    for first in range(0, len(claims) - part + 1, part):
        share = (first + part) / len(claims)
        points.append((share * jobs, percentile(claims[first : first + part], 99)))
    return {
        "claims": len(claims),
        "p50": percentile(claims, 50),
        "p99": percentile(claims, 99),
        "first fifth p99": percentile(claims[:fifth], 99),
        "last fifth p99": percentile(claims[-fifth:], 99),
        "pickup p50": percentile(waits, 50),
        "pickup p99": percentile(waits, 99),
    }
