"""A standby takes no writes until it is promoted, which is what a failover does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from soniq_sa.localserver import local_server
from tests.faults.standby import Standby, standby_of
from tests.process import shop
from tests.process.yard import SHORT_LEASE, Yard, make_tables, until, yard_at

UNFINISHED = "SELECT count(*) FROM soniq_jobs WHERE state <> 'done'"


@pytest.fixture
def standby() -> Iterator[Standby]:
    """Return a standby of a primary with the shop's tables."""
    with local_server(sources=("binaries",), durable=True, tcp=True) as primary:
        make_tables(primary.url)
        with standby_of(primary) as made:
            yield made


@pytest.fixture
def yard(standby: Standby, tmp_path: Path) -> Iterator[Yard]:
    """Return a yard on the primary; ``url`` is where it looks."""
    with yard_at(standby.primary_url, tmp_path) as made:
        yield made


def test_a_worker_before_a_standby_says_so_once_and_works_when_that_is_promoted(
    yard: Yard, standby: Standby
) -> None:
    standby.follow_every_commit()
    handles = yard.enqueue_many(shop.charge, 20)
    worker = yard.starting_worker(url=standby.url)
    worker.until_log("the server is a standby, which takes no writes")
    assert worker.popen.poll() is None
    assert " started: " not in worker.log
    standby.kill_primary()
    standby.promote()
    yard.url = standby.url
    for handle in handles:
        yard.until_state(handle, "done")
        assert yard.effects(handle) == [worker.pid]
    assert worker.log.count("standby") == 1
    assert "the database is back" in worker.log


def test_a_failover_loses_no_job_that_has_reached_the_standby_and_repeats_no_effect(
    yard: Yard, standby: Standby
) -> None:
    standby.follow_every_commit()
    workers = [yard.worker(url=standby.both_url, **SHORT_LEASE) for _ in range(2)]
    gate = yard.gate()
    held = yard.enqueue_many(shop.charge, 3, gate=str(gate))
    handles = held + yard.enqueue_many(shop.charge, 300)
    for handle in held:
        yard.until_starts(handle)
    until(lambda: len(yard.lines(what="end")) > 50, "the load to run")
    standby.kill_primary()
    standby.promote()
    gate.touch()
    yard.url = standby.url
    until(lambda: yard.rows(UNFINISHED) == [(0,)], lambda: str(yard.rows(UNFINISHED)), 60)
    effects = "SELECT count(*) AS all, count(DISTINCT job_id) AS jobs FROM effects"
    assert yard.rows(effects) == [(len(handles), len(handles))]
    assert yard.rows("SELECT count(*) FROM soniq_jobs") == [(len(handles),)]
    for worker in workers:
        assert worker.popen.poll() is None
        assert "failed, and tries again" not in worker.log
