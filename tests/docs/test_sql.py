"""The page "Enqueue from SQL or another language": its statements run, and its tables are true."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import MetaData

from docs.src.write import ROOT, blocks
from soniq_sa import Soniq
from soniq_sa.engines import asyncpg_url, make_sync_engine
from soniq_sa.localserver.databases import libpq_url
from soniq_sa.models import include_tables
from soniq_sa.models.channel import channel_of
from tests.docs.terminal import Terminal
from tests.models.migrating import PLUGIN, Migration

SOURCES = ROOT / "docs" / "src" / "sql"
PAGE = ROOT / "docs" / "sql.md"
PSQL = shutil.which("psql") or next(
    map(str, sorted(Path("/").glob("usr/lib/postgresql/*/bin/psql"))), None
)
PATIENCE = 20.0
WORKER = "$ soniq-sa worker --app jobs:soniq --poll-interval 60\n… started: …\n"


class Shop:
    """A reader's project, and what its database says."""

    def __init__(self, url: str, terminal: Terminal, client: str) -> None:
        self.url = libpq_url(url)
        self.terminal = terminal
        self._client = client

    def run(self, name: str) -> str:
        """Run a file of the page, and return the values of its answer, one a line."""
        return self.execute((SOURCES / name).read_text("utf-8"))

    def execute(self, statements: str) -> str:
        """Run statements as psql does, or a program that knows nothing of this library."""
        if self._client == "psql":
            assert PSQL is not None
            command = [PSQL, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", self.url]
            done = subprocess.run(
                command, input=statements, check=False, capture_output=True, text=True, timeout=60
            )
            assert (done.returncode, done.stderr) == (0, "")
            return done.stdout
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statements.encode())
            values: list[str] = []
            while True:
                if cursor.description:
                    values += ["|".join(map(str, row)) for row in cursor]
                if not cursor.nextset():
                    return "".join(f"{value}\n" for value in values)

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs."""
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            return connection.execute("SELECT * FROM soniq_jobs ORDER BY created_at, id").fetchall()

    def work(self) -> str:
        """Run a worker until nothing is due, and return what the handlers print."""
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "soniq_sa",
                "worker",
                "--app",
                "jobs:soniq",
                "--run-once",
                "--log-level",
                "error",
            ],
            check=False,
            cwd=self.terminal.environment["PROJECT"],
            env=self.terminal.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def until_done(self, count: int) -> None:
        """Wait until so many jobs are done: sooner than a worker polls."""
        until(
            lambda: sum(job["state"] == "done" for job in self.jobs()) >= count,
            lambda: f"{count} jobs to be done: {self.jobs()}",
        )


def until(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what()}"
        time.sleep(0.02)


@pytest.fixture(params=["psql", "a program"])
def shop(
    request: Any, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    """Return the project of the page, with its tables and three orders."""
    if request.param == "psql" and PSQL is None:
        pytest.skip("there is no psql on this machine")
    shutil.copy(SOURCES / "jobs.py", tmp_path)
    url = asyncpg_url(database_url).render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    engine = make_sync_engine(database_url)
    load("jobs").Base.metadata.create_all(engine)
    engine.dispose()
    with Terminal(tmp_path, {"DATABASE_URL": url, "PROJECT": str(tmp_path)}) as terminal:
        made = Shop(database_url, terminal, request.param)
        made.execute("INSERT INTO orders (id, total) VALUES (1, 5), (2, 20), (3, 30)")
        yield made


def load(name: str) -> Any:
    """Return a module of the page, made anew."""
    spec = importlib.util.spec_from_file_location(f"docs_sql_{name}", SOURCES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_job_for_now(shop: Shop) -> None:
    shop.run("now.sql")
    assert shop.work() == "hello, Ann\n"
    assert [job["state"] for job in shop.jobs()] == ["done"]


def test_a_job_for_later(shop: Shop) -> None:
    shop.run("later.sql")
    assert shop.work() == ""
    (job,) = shop.jobs()
    assert job["state"] == "scheduled"
    assert timedelta(minutes=59) < job["run_at"] - datetime.now(UTC) <= timedelta(hours=1)
    shop.execute("UPDATE soniq_jobs SET run_at = now()")
    assert shop.work() == "hello, Bob\n"


def test_many_jobs_with_options(shop: Shop) -> None:
    shop.run("many.sql")
    assert {(job["queue"], job["priority"], job["max_attempts"]) for job in shop.jobs()} == {
        ("billing", 500, 6)
    }
    assert sorted(shop.work().splitlines()) == [
        "order 2: 20, copy=True",
        "order 3: 30, copy=True",
    ]


def test_what_is_left_out_has_the_default_of_the_page(shop: Shop) -> None:
    shop.execute("INSERT INTO soniq_jobs (id, task) VALUES (gen_random_uuid(), 'greet')")
    (job,) = shop.jobs()
    table = {row[0].strip("`"): row[2].strip("`") for row in rows_of("Now, later, many")}
    for column in ("queue", "priority", "max_attempts"):
        assert str(job[column]) == table[column]
    assert json.dumps(job["args"]) == table["args"]
    assert (job["state"], job["run_at"]) == ("queued", job["created_at"])
    for column in ("id", "task"):
        with pytest.raises(psycopg.errors.NotNullViolation), psycopg.connect(shop.url) as one:
            one.execute(
                "INSERT INTO soniq_jobs (task) VALUES ('greet')"
                if column == "id"
                else "INSERT INTO soniq_jobs (id) VALUES (gen_random_uuid())"
            )


def test_a_queued_job_runs_at_once_whatever_its_run_at(shop: Shop) -> None:
    shop.execute(
        "INSERT INTO soniq_jobs (id, task, args, run_at) "
        "VALUES (gen_random_uuid(), 'greet', '{\"name\": \"Ann\"}', now() + interval '1 hour')"
    )
    assert shop.work() == "hello, Ann\n"


def test_a_role_that_enqueues_needs_one_right(shop: Shop) -> None:
    role = f"reports_{shop.url.rpartition('/test_')[2].partition('?')[0]}"
    shop.execute(f"CREATE ROLE {role}")
    as_role = f"SET ROLE {role}; "
    now = (SOURCES / "now.sql").read_text("utf-8").rstrip(";\n")
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(shop.url) as one:
            one.execute((as_role + now).encode())
        shop.execute((SOURCES / "grant.sql").read_text("utf-8").replace("reports", role))
        shop.execute(as_role + now)
        with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(shop.url) as one:
            one.execute(f"{as_role}{now} RETURNING id".encode())
        assert shop.work() == "hello, Ann\n"
    finally:
        shop.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


MISTAKES = {
    ("dead", "invalid arguments"): [
        ("greet", "{}"),
        ("greet", '{"name": 5}'),
        ("greet", '{"age": 5, "name": "Ann"}'),
        ("greet", "[]"),
        ("bill", '{"order": "x"}'),
    ],
    ("dead", "entity gone"): [("bill", '{"order": 99}')],
    ("queued", None): [("nobody_knows", "{}")],
}


def test_mistakes_come_out_in_the_worker_as_the_page_says(shop: Shop) -> None:
    expected = {case: end for end, cases in MISTAKES.items() for case in cases}
    for task, args in expected:
        shop.execute(
            "INSERT INTO soniq_jobs (id, task, args) "  # noqa: S608
            f"VALUES (gen_random_uuid(), '{task}', '{args}')"
        )
    assert shop.work() == ""
    ends = {(job["task"], json.dumps(job["args"])): job for job in shop.jobs()}
    assert {case: (job["state"], job["reason"]) for case, job in ends.items()} == expected
    assert {job["attempts"] for job in ends.values() if job["state"] == "dead"} == {1}
    shown = shop.run("mistakes.sql")
    for (task, _), (_, reason) in expected.items():
        assert (f"{task}|{reason}|" in shown) is (reason is not None)
    for told in ("`dead`, `invalid arguments`", "`dead`, `entity gone`", "stays `queued`"):
        assert told in PAGE.read_text("utf-8")


def test_a_queue_that_no_worker_serves_waits(shop: Shop) -> None:
    shop.execute(
        "INSERT INTO soniq_jobs (id, task, args, queue) "
        "VALUES (gen_random_uuid(), 'greet', '{\"name\": \"Ann\"}', 'elsewhere')"
    )
    shop.terminal.environment["SONIQ_SA_QUEUES"] = "default"
    assert shop.work() == ""
    del shop.terminal.environment["SONIQ_SA_QUEUES"]
    assert shop.work() == "hello, Ann\n"


def test_the_trigger_wakes_a_worker(shop: Shop) -> None:
    shop.terminal.run(WORKER)
    for count in range(1, 4):
        shop.run("now.sql")
        shop.until_done(count)


def test_a_notification_by_hand_wakes_a_worker(shop: Shop, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.py"
    plain = jobs.read_text("utf-8").replace(', notify="trigger"', "")
    assert "trigger" not in plain.replace("# region trigger", "")
    jobs.write_text(plain, "utf-8")
    shop.execute("DROP TRIGGER soniq_jobs_wake ON soniq_jobs")
    shop.terminal.run(WORKER)
    for count in range(1, 4):
        shop.run("wake.sql")
        shop.until_done(count)
    soon = (SOURCES / "later.sql").read_text("utf-8").replace("1 hour", "0.5 s")
    shop.execute(f"{soon} SELECT pg_notify('soniq_sa:soniq_jobs', '@');")
    shop.until_done(4)
    shop.execute((SOURCES / "now.sql").read_text("utf-8") + "NOTIFY \"soniq_sa:soniq_jobs\", '';")
    shop.until_done(5)


@pytest.mark.parametrize("options", [{}, {"schema": "work", "prefix": "bg_"}])
def test_the_channel_is_the_one_of_the_page(options: dict[str, Any]) -> None:
    metadata = MetaData()
    include_tables(metadata, **options)
    assert f"`{channel_of(Soniq(metadata).models.jobs)}`" in PAGE.read_text("utf-8")


def test_the_function_enqueues_and_autogenerate_leaves_it_alone(shop: Shop) -> None:
    shop.run("function.sql")
    called = shop.run("call.sql")
    jobs = {str(job["id"]): job for job in shop.jobs()}
    assert len(jobs) == 4
    assert set(called.split()) == set(jobs)
    assert sorted(job["state"] for job in jobs.values()) == ["queued"] * 3 + ["scheduled"]
    assert sorted(shop.work().splitlines()) == [
        "hello, Kim",
        "order 2: 20, copy=False",
        "order 3: 30, copy=False",
    ]
    engine = make_sync_engine(shop.url)
    migration = Migration(engine, load("jobs").Base.metadata, PLUGIN)
    engine.dispose()
    assert "op." not in migration.up + migration.down


def rows_of(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading."""
    section = re.split(rf"^## {heading}$", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1]
    lines = re.findall(r"^\| (.*) \|$", section.split("\n## ")[0], re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines[2:]]


def test_every_file_of_the_page_is_run_here() -> None:
    shown = {block.source.name for block in blocks(PAGE)}
    assert shown == {one.name for one in SOURCES.iterdir() if one.is_file()}
    fences = re.findall(r"^```\w+$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(blocks(PAGE)) == len(fences)
