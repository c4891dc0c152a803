"""Workers and producers of two versions go on while the tables go from one to the other and back.

Every row of the table's history takes a scan a millisecond (`tests.alembic.history`): what reads the
whole table, and keeps the workers out meanwhile, keeps them out for seconds.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import make_url

from tests.alembic.history import HISTORY, SLOW
from tests.alembic.project import ROOT, Project
from tests.alembic.switch import SWITCH
from tests.alembic.watch import OF_ALEMBIC, LockWatch
from tests.process.yard import WorkerProcess, Yard, until

BOUND = 1.0
"""Seconds that nobody may wait for a lock."""

ROWS = 1500
"""Of history; to read them takes at least so many milliseconds."""

VERSIONS = ({}, {SWITCH: "1"})
BEHIND = "a migration of this release of soniq-sa has not run yet"


class Producer:
    """A process that enqueues all the time."""

    def __init__(self, url: str, output: Path, environment: dict[str, str]) -> None:
        self._output = output
        with output.open("wb") as written:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "tests.alembic.producer", url],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=written,
                stderr=subprocess.PIPE,
            )

    def jobs(self) -> list[UUID]:
        """Return the jobs that it has committed."""
        text = self._output.read_text()
        return [UUID(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def stop(self) -> None:
        """Let it end; it must not have failed."""
        _, errors = self.popen.communicate(timeout=15)
        assert self.popen.returncode == 0, errors.decode()


class Load:
    """Workers and producers of both versions, on the tables of this one."""

    def __init__(self, project: Project, yard: Yard) -> None:
        self.project = project
        self.yard = yard
        self.workers: list[WorkerProcess] = []
        self.producers: list[Producer] = []

    def start(self) -> None:
        """Start a worker and a producer of each version."""
        self.yard.arguments = ("--app", "tests.alembic.load_shop:soniq")
        for number, version in enumerate(VERSIONS):
            self.workers.append(self.yard.worker(**version))
            output = self.yard.folder / f"producer-{number}"
            environment = {**self.project.environment, **version}
            self.producers.append(Producer(self.yard.url, output, environment))
        self.until_all_work()

    def until_all_work(self) -> None:
        """Wait until each producer has enqueued some jobs, and each worker has done some."""
        before = self._work()
        until(
            lambda: all(now >= then + 20 for now, then in zip(self._work(), before, strict=True)),
            lambda: f"all to work: {before}, {self._work()}",
            30,
        )

    def _work(self) -> list[int]:
        done = dict(self.yard.rows("SELECT process, count(*) FROM effects GROUP BY process"))
        enqueued = [len(producer.jobs()) for producer in self.producers]
        return [*enqueued, *(done.get(worker.pid, 0) for worker in self.workers)]

    def finish(self) -> list[UUID]:
        """Stop the producers, wait until every job is done, and stop the workers."""
        for producer in self.producers:
            producer.stop()
        unfinished = "SELECT count(*) FROM soniq_jobs WHERE state <> 'done'"
        until(lambda: self.yard.rows(unfinished) == [(0,)], "all jobs to be done")
        for worker in self.workers:
            assert worker.popen.poll() is None, worker.log
            worker.signal(signal.SIGTERM)
            assert worker.exit_code() == 0
        return [job for producer in self.producers for job in producer.jobs()]

    def kill(self) -> None:
        """End what still runs."""
        for producer in self.producers:
            producer.popen.kill()
            producer.popen.wait()


@pytest.fixture
def load(database: str, tmp_path: Path) -> Iterator[Load]:
    """Return a load that has not started, on a table with a history."""
    url = make_url(database).update_query_dict({"application_name": OF_ALEMBIC})
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project", url.render_as_string(hide_password=False))
    (project.folder / "models.py").write_text("from tests.alembic.load_shop import Base as Base")
    project.autogenerate("first")
    project.alembic("upgrade", "head")
    project.execute(SLOW)
    project.execute(HISTORY.format(rows=ROWS))
    yard = Yard(database, tmp_path)
    made = Load(project, yard)
    try:
        yield made
    finally:
        made.kill()
        yard.close()


@pytest.mark.timeout(240)
def test_two_versions_of_the_library_work_on_the_tables_of_both_while_they_change(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    project, yard = load.project, load.yard
    project.install_next_version()
    project.autogenerate("second")
    load.start()
    with LockWatch(yard.url) as watch:
        for _ in range(2):
            project.alembic("upgrade", "head")
            project.check()
            load.until_all_work()
            project.alembic("downgrade", "-1")
            load.until_all_work()
    enqueued = load.finish()
    assert_done_once(yard, enqueued)
    assert_nothing_failed(load)
    with capsys.disabled():
        print(f"\n{len(enqueued)} jobs, {watch}")  # noqa: T201 - the figure is asked for
    assert watch.looks > 100
    assert watch.longest < BOUND, watch.statement


def assert_done_once(yard: Yard, enqueued: list[UUID]) -> None:
    """Check that every job which was committed has had its effect, and had it once."""
    effects = [job for (job,) in yard.rows("SELECT job_id FROM effects")]
    assert len(effects) == len(set(effects))
    assert set(effects) == set(enqueued)
    assert len(enqueued) == len(effects)


def assert_nothing_failed(load: Load) -> None:
    """Check that no attempt, no claim, no connection and no transaction failed."""
    yard = load.yard
    assert yard.rows("SELECT * FROM soniq_attempts") == []
    assert yard.rows("SELECT max(claims) AS claims, max(crashes) AS crashes FROM soniq_jobs") == [
        (1, 0)
    ]
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert yard.rows(deadlocks) == [(0,)]
    for worker, version in zip(load.workers, VERSIONS, strict=True):
        lines = [line for line in worker.log.splitlines() if " INFO " not in line]
        assert len(lines) == len(version), worker.log
        assert all(BEHIND in line for line in lines), worker.log


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX plain ON soniq_jobs (finished_at) WHERE slow(queue)",
        "ALTER TABLE soniq_jobs ADD CONSTRAINT plain CHECK (slow(queue))",
    ],
    ids=["index", "check"],
)
def test_what_is_made_in_the_plain_way_makes_the_others_wait_too_long(
    load: Load, statement: str
) -> None:
    """So the watch above would have seen it."""
    load.start()
    with LockWatch(load.yard.url) as watch:
        load.project.execute(statement)
    assert watch.longest > BOUND
    assert_done_once(load.yard, load.finish())
