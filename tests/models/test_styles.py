"""The job tables live in metadata of every style."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm.attributes import set_attribute
from sqlalchemy.types import TypeEngine

from soniq_sa import Soniq, SoniqSession
from soniq_sa.models import include_tables
from tests.models.styles import STYLES, Style

COLUMNS = {
    "id",
    "task",
    "queue",
    "state",
    "priority",
    "run_at",
    "args",
    "attempts",
    "max_attempts",
    "claims",
    "crashes",
    "worker_id",
    "claimed_at",
    "finished_at",
    "keep_until",
    "expires_at",
    "timeout",
    "tags",
    "headers",
    "result",
    "cancel_requested_at",
    "replay_of",
    "replays",
    "reason",
    "error",
    "created_at",
}


@pytest.fixture(params=STYLES.values(), ids=STYLES)
def style(request: Any) -> Style:
    """Return newly declared models of each style."""
    make: Callable[[], Style] = request.param
    return make()


def test_the_tables_are_there_and_nothing_but_tables(style: Style) -> None:
    ours = {f"soniq_{name}" for name in ("jobs", "attempts", "progress", "workers")}
    assert {"orders", *ours} == set(style.metadata.tables)
    jobs = style.metadata.tables["soniq_jobs"]
    assert set(jobs.c.keys()) - {"tenant"} == COLUMNS
    assert ("tenant" in jobs.c) == (style.Job is not None)
    assert [index.name for index in sorted(jobs.indexes, key=lambda index: str(index.name))] == [
        "ix_soniq_jobs_claim_1",
        "ix_soniq_jobs_dead_1",
        "ix_soniq_jobs_due_1",
        "ix_soniq_jobs_owner_1",
        "ix_soniq_jobs_prune_1",
        "ix_soniq_jobs_suspect_1",
    ]


def test_nothing_of_ours_would_be_rendered_into_a_migration(style: Style) -> None:
    for table in style.metadata.tables.values():
        assert table.info == {}
        for column in table.c:
            assert column.info == {}
            assert type(column.type).__module__.startswith(("sqlalchemy.", "sqlmodel."))
            assert isinstance(column.type, TypeEngine)


def test_the_class_of_the_user_is_the_job_class(style: Style) -> None:
    models = Soniq(style.metadata).models
    assert style.Job is None or models.Job is style.Job
    assert include_tables(style.metadata).Job is models.Job


def test_jobs_are_enqueued_with_entities(style: Style, engine: Engine) -> None:
    style.metadata.create_all(engine)
    soniq = Soniq(style.metadata)

    def handler(order: Any, text: str) -> None:
        del order, text

    handler.__annotations__["order"] = style.Order
    task = soniq.job(name="task")(handler)
    with SoniqSession(engine) as session, session.begin():
        order = style.Order(note="a")
        session.add(order)
        handle = session.enqueue(task.options(delay=60), order, "b")
        session.enqueue_many(task, [{"order": order, "text": "c"}])
        if style.Job is not None:
            assert type(handle.row) is style.Job
            handle.row.tenant = "d"
    with engine.connect() as connection:
        jobs = style.metadata.tables["soniq_jobs"]
        found = connection.execute(select(jobs).order_by(jobs.c.id)).all()
        (key,) = connection.scalars(select(style.metadata.tables["orders"].c.id))
    assert [row.args for row in found] == [
        {"order": key, "text": "b"},
        {"order": key, "text": "c"},
    ]
    assert [row.state for row in found] == ["scheduled", "queued"]
    if style.Job is not None:
        assert [row.tenant for row in found] == ["d", None]


def test_a_job_row_is_made_by_hand(style: Style, engine: Engine) -> None:
    style.metadata.create_all(engine)
    model: Any = Soniq(style.metadata).models.Job
    with SoniqSession(engine, expire_on_commit=False) as session, session.begin():
        job = model()
        set_attribute(job, "task", "task")
        session.add(job)
    with SoniqSession(engine) as session:
        (found,) = session.scalars(select(model))
        assert (found.task, found.args, found.state, found.queue) == (
            "task",
            {},
            "queued",
            "default",
        )
        assert found.id.version == 7


def test_the_database_fills_in_what_is_left_out(style: Style, engine: Engine) -> None:
    style.metadata.create_all(engine)
    with engine.begin() as connection:
        (row,) = connection.exec_driver_sql(
            "INSERT INTO soniq_jobs (id, task) VALUES (gen_random_uuid(), 'task') RETURNING *"
        )
    assert (row.queue, row.state, row.priority, row.args) == ("default", "queued", 100, {})
    assert (row.attempts, row.max_attempts, row.claims, row.crashes) == (0, 4, 0, 0)
    assert row.run_at == row.created_at
