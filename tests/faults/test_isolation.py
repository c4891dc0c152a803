"""Applications that work at SERIALIZABLE or REPEATABLE READ, and databases where that is the rule."""

from typing import Any

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import sessionmaker

from soniq_sa import SoniqSession
from soniq_sa.engines import libpq_url
from tests.faults import till
from tests.process import shop
from tests.process.yard import Yard, until

UNFINISHED = "SELECT count(*) FROM soniq_jobs WHERE state <> 'done'"
LEVELS = ["SERIALIZABLE", "REPEATABLE READ"]


def assert_in_any_order(yard: Yard, handles: list[Any], claims: list[int]) -> None:
    """Check that jobs have run to one end each, and that no attempt was counted but the last ones."""
    rows = [yard.until_state(handle, "done") for handle in handles]
    assert sorted(row.claims for row in rows) == claims
    assert {row.attempts for row in rows} == {1}
    assert {row.error for row in rows} == {None}
    assert [len(yard.effects(handle)) for handle in handles] == [1] * len(handles)
    assert yard.rows("SELECT * FROM soniq_attempts") == []


def test_of_two_producers_in_conflict_one_gets_the_error_once_and_has_enqueued_nothing(
    yard: Yard,
) -> None:
    engine = create_engine(
        libpq_url(yard.url, "postgresql+psycopg"), isolation_level="SERIALIZABLE"
    )
    sessions = sessionmaker(engine, class_=SoniqSession)
    with sessions() as one, sessions() as other:
        handles = []
        for session in (one, other):
            session.scalar(select(func.count()).select_from(shop.Effect))
            handles.append(session.enqueue(shop.quick))
            session.add(shop.Effect(job_id=handles[-1].id, process=0))
            session.flush()
        one.commit()
        with pytest.raises(DBAPIError) as caught:
            other.commit()
        assert caught.value.orig is not None
        assert getattr(caught.value.orig, "sqlstate", "") == "40001"
        other.rollback()
        assert yard.rows("SELECT id FROM soniq_jobs") == [(handles[0].id,)]
        handles[1] = other.enqueue(shop.quick)
        other.commit()
    engine.dispose()
    yard.worker()
    for handle in handles:
        assert yard.until_state(handle, "done").claims == 1


@pytest.mark.parametrize("level", LEVELS)
def test_jobs_are_enqueued_and_run_at_the_level_of_the_application(yard: Yard, level: str) -> None:
    engine = create_engine(libpq_url(yard.url, "postgresql+psycopg"), isolation_level=level)
    with sessionmaker(engine, class_=SoniqSession).begin() as session:
        handles = session.enqueue_many(till.serve, [{}] * 50)
        handles.append(session.enqueue(till.serve.options(delay=0.1)))
    engine.dispose()
    yard.arguments = till.APP
    worker = yard.worker(**{till.ENGINE: f'{{"isolation_level": "{level}"}}'})
    for handle in handles:
        yard.until_state(handle, "done")
        assert len(yard.effects(handle)) == 1
    assert "no database" not in worker.log


def test_a_handler_whose_transaction_is_not_serializable_runs_again_without_an_attempt_consumed(
    yard: Yard,
) -> None:
    gate = yard.gate()
    handles = yard.enqueue_many(till.count_and_add, 2, gate=str(gate))
    yard.arguments = till.APP
    yard.worker(**{till.ENGINE: '{"isolation_level": "SERIALIZABLE"}'})
    until(lambda: len(yard.lines(what="start")) == 2, "both to have read")
    gate.touch()
    assert_in_any_order(yard, handles, [1, 2])


def test_a_handler_that_is_the_victim_of_a_deadlock_runs_again_without_an_attempt_consumed(
    yard: Yard,
) -> None:
    gate = yard.gate()
    handles = [
        yard.enqueue(till.lock_both, 1, 2, str(gate)),
        yard.enqueue(till.lock_both, 2, 1, str(gate)),
    ]
    yard.arguments = till.APP
    yard.worker()
    until(lambda: len(yard.lines(what="start")) == 2, "both to have locked something")
    gate.touch()
    assert_in_any_order(yard, handles, [1, 2])


@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
def test_the_workers_own_statements_do_not_follow_the_default_of_the_database(
    yard: Yard, level: str
) -> None:
    """Two workers that claim at SERIALIZABLE would fail in turns."""
    ((name,),) = yard.rows("SELECT current_database()")
    yard.rows(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    yard.enqueue_many(shop.quick, 1000)
    workers = [yard.worker() for _ in range(2)]
    until(lambda: yard.rows(UNFINISHED) == [(0,)], "all jobs to be done")
    assert yard.rows("SELECT DISTINCT claims, attempts FROM soniq_jobs") == [(1, 1)]
    assert not [worker.log for worker in workers if "no database" in worker.log]
