"""Every check of the doctor: what is wrong is found, with its level and a remedy."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from soniq_sa.cli.doctor.checks import CHECKS
from soniq_sa.engines import make_sync_engine
from tests.cli.commands import soniq_sa
from tests.cli.doctor.clinic import NOT_DURABLE, Clinic, levels
from tests.process.yard import until


@dataclass(frozen=True)
class Fault:
    """What somebody has done, and what the doctor says of it."""

    check: str
    level: str
    what: str
    remedy: str
    statements: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)


INSERT = "INSERT INTO soniq_jobs (id, task, queue, state, run_at, finished_at) "
JOB = INSERT + "VALUES (gen_random_uuid(), 'send_invoise', 'slow', "
WITH_APP = ("--app", "jobs:soniq")
INVALIDATE = (
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_soniq_jobs_claim_1'::regclass"
)
SET = 'ALTER DATABASE "{database}" SET '
UNDER_A_CLERK = (
    "DO $$ BEGIN CREATE ROLE doctors_clerk; EXCEPTION WHEN duplicate_object THEN END $$",
    "GRANT ALL ON ALL TABLES IN SCHEMA public TO doctors_clerk",
    "ALTER TABLE soniq_jobs ENABLE ROW LEVEL SECURITY",
    SET + "role = doctors_clerk",
)
"""A login that has every privilege, and none of the roles of ``soniq-sa grants``."""

FAULTS = [
    Fault(
        "connection",
        "problem",
        "sessions of handlers may only read",
        "default_transaction_read_only",
        (SET + "default_transaction_read_only = on",),
    ),
    Fault(
        "tables",
        "problem",
        "lacks the table soniq_workers",
        "soniq-sa schema create",
        ("DROP TABLE soniq_workers",),
    ),
    Fault(
        "tables",
        "warning",
        "1 difference between the tables and the application",
        "soniq-sa schema check",
        ("ALTER TABLE soniq_jobs ADD COLUMN spare integer",),
        WITH_APP,
    ),
    Fault(
        "privileges",
        "warning",
        "lacks INSERT, DELETE on soniq_attempts",
        "soniq-sa grants --role worker",
        (
            "DO $$ BEGIN CREATE ROLE doctors_clerk; EXCEPTION WHEN duplicate_object THEN END $$",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO doctors_clerk",
            SET + "role = doctors_clerk",
        ),
    ),
    Fault(
        "privileges",
        "problem",
        "row-level security lets DELETE, SELECT, UPDATE of this role at no row of soniq_jobs",
        "soniq-sa grants --role worker",
        UNDER_A_CLERK,
    ),
    Fault(
        "privileges",
        "warning",
        "row-level security lets DELETE, SELECT, UPDATE of this role at only some rows of soniq_jobs",
        "soniq-sa grants --role worker",
        (*UNDER_A_CLERK, "CREATE POLICY own ON soniq_jobs USING (queue = 'billing')"),
    ),
    Fault(
        "privileges",
        "ok",
        "the role may do all that a worker does",
        "",
        (*UNDER_A_CLERK, "CREATE POLICY every ON soniq_jobs TO doctors_clerk USING (true)"),
    ),
    Fault(
        "privileges",
        "problem",
        "at no row of soniq_jobs",
        "soniq-sa grants --role worker",
        (*UNDER_A_CLERK, "CREATE POLICY every ON soniq_jobs TO pg_monitor USING (true)"),
    ),
    Fault(
        "privileges",
        "warning",
        "at only some rows of soniq_jobs",
        "soniq-sa grants --role worker",
        (
            *UNDER_A_CLERK,
            "CREATE POLICY every ON soniq_jobs USING (true)",
            "CREATE POLICY not_all ON soniq_jobs AS RESTRICTIVE USING (queue <> 'slow')",
        ),
    ),
    Fault(
        "dead letters",
        "warning",
        "permission denied for table soniq_jobs",
        "run this again",
        (
            "DO $$ BEGIN CREATE ROLE doctors_clerk; EXCEPTION WHEN duplicate_object THEN END $$",
            SET + "role = doctors_clerk",
        ),
    ),
    Fault(
        "connections",
        "warning",
        "of 3 connections are in use (the connection limit of the database)",
        "A worker holds up to 8",
        ('ALTER DATABASE "{database}" CONNECTION LIMIT 3',),
    ),
    Fault(
        "timeouts",
        "note",
        "statement_timeout is 2 s (set by: database); it ends statements of handlers",
        "SET statement_timeout = 0",
        (SET + "statement_timeout = '2s'",),
    ),
    Fault(
        "timeouts",
        "warning",
        "statement_timeout is 0.9 s",
        "SET statement_timeout = 0",
        (SET + "statement_timeout = 900",),
    ),
    Fault(
        "timeouts",
        "warning",
        "lock_timeout is 0.5 s",
        "SET lock_timeout = 0",
        (SET + "lock_timeout = 500",),
    ),
    Fault(
        "timeouts",
        "warning",
        "idle_in_transaction_session_timeout is 60 s",
        "SET idle_in_transaction_session_timeout = 0",
        (SET + "idle_in_transaction_session_timeout = '1min'",),
    ),
    Fault(
        "timeouts",
        "note",
        "idle_in_transaction_session_timeout is 60 s",
        "SET idle_in_transaction_session_timeout = 0",
        (SET + "idle_in_transaction_session_timeout = '1min'",),
        settings={"SONIQ_SA_JOB_TIMEOUT": "30"},
    ),
    Fault(NOT_DURABLE, "problem", "fsync is off", "SET fsync = on"),
    Fault(NOT_DURABLE, "problem", "full_page_writes is off", "SET full_page_writes = on"),
    Fault(NOT_DURABLE, "warning", "synchronous_commit is off", "synchronous_commit = on"),
    Fault(
        "autovacuum",
        "problem",
        "track_counts is off",
        "SET track_counts = on",
        (SET + "track_counts = off",),
    ),
    Fault(
        "dead rows",
        "problem",
        "autovacuum is off for soniq_jobs",
        "RESET (autovacuum_enabled)",
        ("ALTER TABLE soniq_jobs SET (autovacuum_enabled = false)",),
    ),
    Fault(
        "indexes",
        "problem",
        "the index public.ix_soniq_jobs_claim_1 is invalid",
        "REINDEX INDEX CONCURRENTLY public.ix_soniq_jobs_claim_1",
        (INVALIDATE,),
    ),
    Fault(
        "workers",
        "note",
        "no worker is alive; no job is queued",
        "soniq-sa worker",
        ("DELETE FROM soniq_workers",),
    ),
    Fault(
        "workers",
        "problem",
        "no worker is alive, and jobs are queued",
        "soniq-sa worker",
        ("DELETE FROM soniq_workers", JOB + "'queued', now(), NULL)"),
    ),
    Fault(
        "workers",
        "note",
        "1 worker has been dead for more than a minute",
        "soniq-sa audit",
        ("UPDATE soniq_workers SET expires_at = now() - interval '2 minutes'",),
    ),
    Fault(
        "tasks",
        "problem",
        "2 jobs wait for the task 'send_invoise', which the application does not know. Did you mean "
        "'send_invoice'?",
        "Import its module",
        (JOB + "'queued', now(), NULL)", JOB + "'scheduled', now() + interval '1 hour', NULL)"),
        WITH_APP,
    ),
    Fault(
        "queues",
        "warning",
        "1 job waits in the queue 'slow', which SONIQ_SA_QUEUES does not name",
        "--queues slow",
        (JOB + "'queued', now(), NULL)",),
        settings={"SONIQ_SA_QUEUES": "billing,default"},
    ),
    Fault(
        "backlog",
        "warning",
        "in the queue 'slow' 1 job is due, the oldest for 3 h",
        "More workers",
        (JOB + "'queued', now() - interval '3 hours', NULL)",),
    ),
    Fault(
        "backlog",
        "warning",
        "in the queue 'slow' 1 job is due, the oldest for 3 d, and not even queued",
        "start one",
        (JOB + "'scheduled', now() - interval '3 days', NULL)",),
    ),
    Fault(
        "dead letters",
        "note",
        "1 dead letter, 1 of them not replayed",
        "soniq-sa dead-letter stats",
        (JOB + "'dead', now(), now())",),
    ),
]
ELSEWHERE = {
    "versions", "pooler", "listen", "clock", "pool", "transactions", "prepared", "slots"
}  # fmt: skip
"""Checks with tests of their own."""


@pytest.mark.parametrize("arguments", [(), WITH_APP], ids=["tables alone", "app"])
def test_a_healthy_database_gives_nothing_to_do(clinic: Clinic, arguments: tuple[str, ...]) -> None:
    """But for the server of the tests, which writes nothing to disk."""
    findings = clinic.findings(*arguments)
    assert levels(findings).keys() == {NOT_DURABLE}
    assert {one["check"] for one in findings} == {check.name for check in CHECKS}
    left_out = {one["check"] for one in findings if "not looked at" in one["what"]}
    assert left_out == (set() if arguments else {"pool", "tasks"})
    assert all(one["remedy"] for one in findings if one["level"] != "ok")


@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: f"{fault.check}: {fault.what}, {fault.level}"
)
def test_a_fault_is_found_with_its_level_and_a_remedy(clinic: Clinic, fault: Fault) -> None:
    clinic.execute(*fault.statements)
    found = clinic.found(fault.check, *fault.arguments, **fault.settings)
    (one,) = [one for one in found if fault.what in one["what"]]
    assert one["level"] == fault.level
    assert fault.remedy in one["remedy"]


def test_rows_that_the_role_does_not_see_are_not_counted(clinic: Clinic) -> None:
    clinic.add_job()
    clinic.execute(*UNDER_A_CLERK)
    left_out = {one["check"] for one in clinic.findings() if "hides rows" in one["what"]}
    assert left_out == {
        check.name for check in CHECKS if check.counts_rows and check.needs != "app"
    }


def test_every_check_has_a_fault() -> None:
    assert {fault.check for fault in FAULTS} | ELSEWHERE == {check.name for check in CHECKS}


def test_a_comparison_that_the_database_refuses_ends_no_examination(clinic: Clinic) -> None:
    clinic.execute(*UNDER_A_CLERK, "REVOKE SELECT ON pg_constraint FROM PUBLIC")
    findings = clinic.findings(*WITH_APP)
    assert {one["check"] for one in findings} == {check.name for check in CHECKS}
    (tables,) = [one for one in findings if one["check"] == "tables"]
    assert (tables["level"], tables["what"].partition(": ")[0]) == (
        "warning",
        "could not be looked at",
    )
    assert "permission denied for table pg_constraint" in tables["what"]


def test_an_app_without_an_engine_has_a_pool_in_the_database_that_is_said(clinic: Clinic) -> None:
    clinic.write_app(engine="")
    done = soniq_sa(clinic.folder, "doctor", *WITH_APP, "--database-url", clinic.url, "--json")
    (pool,) = [one for one in json.loads(done.stdout)["findings"] if one["check"] == "pool"]
    assert "can have a session" in pool["what"]


def test_a_server_for_listen_that_does_not_answer_is_a_problem(clinic: Clinic) -> None:
    url = "postgresql://someone:secret@127.0.0.1:9/none"
    findings = clinic.findings(SONIQ_SA_LISTEN_URL=url)
    assert levels(findings).keys() == {NOT_DURABLE, "listen"}
    assert "secret" not in repr(findings)
    (listen,) = [one for one in findings if one["check"] == "listen"]
    assert (
        "someone:***@127.0.0.1:9/none, which SONIQ_SA_LISTEN_URL names, does not answer"
        in listen["what"]
    )
    assert "unset it" in listen["remedy"]


def test_a_url_for_listen_that_cannot_be_read_is_named_by_its_setting(clinic: Clinic) -> None:
    done = clinic.run(SONIQ_SA_LISTEN_URL="postgresql//nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert "SONIQ_SA_LISTEN_URL: The database URL cannot be read" in done.stderr


def test_a_queue_in_which_nothing_is_due_is_told_in_words(clinic: Clinic) -> None:
    assert clinic.found("backlog")[0]["what"] == "no job is due"
    clinic.add_job()
    assert clinic.found("backlog")[0]["what"] == "1 job is due, none for more than 60 s"


def test_without_the_tables_the_server_is_looked_at_all_the_same(clinic: Clinic) -> None:
    clinic.execute("DROP TABLE soniq_workers, soniq_jobs, soniq_attempts, soniq_progress")
    checks = {one["check"] for one in clinic.findings()}
    assert checks == {check.name for check in CHECKS if check.needs == "server"}


@pytest.mark.parametrize(("room", "level"), [(15, "note"), (1, "warning")])
def test_a_pool_with_less_room_than_the_concurrency_is_told(
    clinic: Clinic, room: int, level: str
) -> None:
    clinic.write_app(pool_size=room)
    (found,) = clinic.found("pool", *WITH_APP)
    assert (found["level"], found["what"].partition(" can ")[0]) == (
        level,
        f"of 200 jobs at a time, {room}",
    )
    (enough,) = clinic.found("pool", *WITH_APP, SONIQ_SA_CONCURRENCY=str(room))
    assert enough["level"] == "ok"


def test_a_vacuum_that_runs_keeps_no_dead_rows(clinic: Clinic) -> None:
    clinic.execute(
        "INSERT INTO soniq_progress (job_id, claim, done) SELECT gen_random_uuid(), 1, 1 FROM generate_series(1, 20000)"
    )
    with slow_vacuum(clinic) as pid:
        until(
            lambda: clinic.rows(
                "SELECT FROM pg_stat_activity WHERE xact_start < now() - interval '1.5 s' "
                f"AND backend_xmin IS NOT NULL AND pid = {pid}"
            ),
            "the vacuum to be a second old",
        )
        (found,) = clinic.found("transactions")
    assert found["what"] == "no transaction is open for long"


def test_the_oldest_transaction_is_named_with_its_process_and_program(clinic: Clinic) -> None:
    with open_transaction(clinic, "nightly report") as pid:
        until(
            lambda: f"process {pid} (nightly report)" in clinic.found("transactions")[0]["what"],
            "the transaction to be a second old",
        )
    (found,) = clinic.found("transactions")
    assert found["what"] == "no transaction is open for long"


@contextmanager
def slow_vacuum(clinic: Clinic) -> Iterator[int]:
    """Have a VACUUM run that rests after each page; return the process of its backend."""
    engine = make_sync_engine(clinic.url).execution_options(isolation_level="AUTOCOMMIT")
    slowly = "SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1; SET vacuum_cost_page_hit = 10"
    with engine.connect() as connection:
        connection.exec_driver_sql(slowly)
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        run = threading.Thread(target=_until_ended, args=(connection, "VACUUM soniq_progress"))
        run.start()
        try:
            yield pid
        finally:
            clinic.execute(f"SELECT pg_terminate_backend({pid})")
            run.join()
    engine.dispose()


def _until_ended(connection: Connection, statement: str) -> None:
    with suppress(DBAPIError):
        connection.exec_driver_sql(statement)


@contextmanager
def open_transaction(clinic: Clinic, name: str) -> Iterator[int]:
    """Hold a transaction open that keeps dead rows; return the process of its backend."""
    engine = make_sync_engine(clinic.engine.url.update_query_dict({"application_name": name}))
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("SELECT pg_current_xact_id()")
            yield int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
    finally:
        engine.dispose()


def test_the_tasks_of_the_app_are_known_also_where_another_database_is_meant(
    clinic: Clinic,
) -> None:
    clinic.add_job()
    clinic.add_job("send_invoise")
    elsewhere = (*WITH_APP, "--database-url", clinic.url)
    (found,) = clinic.found("tasks", *elsewhere, SONIQ_SA_DATABASE_URL="postgresql://a@b/c")
    assert found["what"].startswith("1 job waits for the task 'send_invoise'")


def test_a_handler_with_which_no_worker_starts_is_a_problem(clinic: Clinic) -> None:
    jobs = clinic.folder / "jobs.py"
    jobs.write_text(
        f"{jobs.read_text()}\n@soniq.job\nasync def lost(what: 'Nothing') -> None: ...\n"
    )
    findings = clinic.findings(*WITH_APP)
    (found,) = [one for one in findings if one["check"] == "tasks"]
    assert found["level"] == "problem"
    assert found["what"].startswith("a worker does not start: ")
    assert found["remedy"] == "Change the handler of 'jobs.lost'."
    assert "pool" in {one["check"] for one in findings}


def test_a_role_that_sees_no_other_sessions_is_told_so(clinic: Clinic) -> None:
    clinic.execute(
        "DO $$ BEGIN CREATE ROLE doctors_clerk; EXCEPTION WHEN duplicate_object THEN END $$",
        SET + "role = doctors_clerk",
    )
    with open_transaction(clinic, "nightly report"):
        found = clinic.found("transactions")
    assert [one["level"] for one in found] == ["ok", "note"]
    assert "of other roles cannot be seen" in found[1]["what"]
    assert "pg_read_all_stats" in found[1]["remedy"]


def test_prepared_transactions_are_counted(clinic: Clinic) -> None:
    name = f"left-{clinic.engine.url.database}"
    with clinic.engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_current_xact_id()")
        connection.exec_driver_sql(f"PREPARE TRANSACTION '{name}'")
    try:
        (found,) = clinic.found("prepared")
    finally:
        clinic.execute(f"ROLLBACK PREPARED '{name}'")
    assert found["what"] == "1 prepared transaction is open"


def test_a_replication_slot_that_nobody_reads_is_told(clinic: Clinic) -> None:
    clinic.execute("SELECT pg_create_physical_replication_slot('doctors_slot', true)")
    try:
        (found,) = clinic.found("slots")
    finally:
        clinic.execute("SELECT pg_drop_replication_slot('doctors_slot')")
    assert (found["level"], found["what"]) == (
        "note",
        "nobody reads the replication slot 'doctors_slot', which keeps the write-ahead log",
    )
