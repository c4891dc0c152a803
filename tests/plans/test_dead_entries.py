"""What a claim reads while nothing can be vacuumed: the entries of claimed jobs are all still there."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest

from soniq_sa.localserver import LocalServer
from soniq_sa.localserver.databases import libpq_url
from soniq_sa.runtime.marks import Marks
from soniq_sa.statements.claim import claim_jobs
from soniq_sa.states import JobState
from tests.plans.explaining import WORKER, explain
from tests.plans.filling import MODELS, WORKER_ID, create_tables, fill, run

JOBS = 20_000


@contextmanager
def old_snapshot(url: str) -> Iterator[None]:
    """Keep a snapshot open, as a long report or a backup does."""
    with psycopg.connect(libpq_url(url)) as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT count(*) FROM soniq_jobs")
        yield


@pytest.fixture
def claimed(server: LocalServer) -> Iterator[psycopg.Connection]:
    """Yield a connection to a table whose jobs were all claimed, and one that waits behind them."""
    name = f"plans_{secrets.token_hex(6)}"
    url = server.create_database(name)
    create_tables(url)
    with psycopg.connect(libpq_url(url), autocommit=True) as connection, old_snapshot(url):
        connection.execute(
            "INSERT INTO soniq_workers (id, name, expires_at) VALUES (%s, 'here', 'infinity')",
            [WORKER_ID],
        )
        fill(connection, JobState.QUEUED, JOBS)
        run(connection, "UPDATE soniq_jobs SET state = 'done', finished_at = now()")
        run(connection, "INSERT INTO soniq_jobs (id, task) VALUES (gen_random_uuid(), 'noop')")
        run(connection, "VACUUM ANALYZE soniq_jobs")
        yield connection
    server.drop_database(name)


def pages_read(connection: psycopg.Connection, *, marked: bool) -> int:
    """Return how many pages a claim reads, which is rolled back."""
    places = {"queues": ["default"]}
    if marked:
        ((due, job_id),) = connection.execute(
            "SELECT run_at, id FROM soniq_jobs WHERE state = 'done' ORDER BY run_at DESC, id DESC LIMIT 1"
        ).fetchall()
        marks = Marks()
        marks._marks["default", 100] = (due, job_id)  # noqa: SLF001
        places = {name: list(values) for name, values in marks.places(["default"]).items()}
    values = {**places, "tasks": ["noop"], "limit": 100, "owner": UUID(WORKER_ID)}
    statement = claim_jobs(MODELS, marked=marked)
    with connection.transaction(force_rollback=True):
        plan = explain(connection, statement, values, WORKER, analyze=True)
    assert plan.rows == 1
    return plan.pages


def test_a_claim_from_the_marks_does_not_walk_past_the_dead(claimed: psycopg.Connection) -> None:
    whole, marked = pages_read(claimed, marked=False), pages_read(claimed, marked=True)
    assert whole > JOBS / 100
    assert marked < 100
