"""Workers are killed, and killed again; hosts go away without a word (P3, P4).

By default the others look every second, and must miss the lock twice, 0.6 s apart. So what a killed
worker ran starts again within two seconds. `tests.process.test_kill` has more.
"""

import signal
from collections.abc import Iterator

import pytest

from tests.faults.nursery import Nursery, nursery_for
from tests.faults.proxy import Proxy
from tests.process import shop
from tests.process.yard import Yard

LONG = 8
LONG_LEASE = {"SONIQ_SA_LEASE": "60", "SONIQ_SA_HEARTBEAT": "5"}
"""No test outlives it: what starts again sooner was noticed by the lock. Everything else is as usual."""
LEASE = {"SONIQ_SA_LEASE": "4", "SONIQ_SA_HEARTBEAT": "1"}


@pytest.fixture
def nursery(yard: Yard) -> Iterator[Nursery]:
    with nursery_for(yard) as made:
        yield made


def test_all_long_jobs_of_a_killed_worker_start_again_at_a_peer_however_often_that_happens(
    yard: Yard, nursery: Nursery
) -> None:
    """Three rounds: eight jobs run at a worker, it is killed, and the one that is left has them all."""
    left = yard.worker(**LONG_LEASE)
    for _ in range(3):
        gate = yard.gate()
        left.signal(signal.SIGSTOP)  # so that the other one gets all of them
        doomed = nursery.worker(**LONG_LEASE).until_started()
        handles = yard.enqueue_many(shop.charge, LONG // 2, gate=str(gate))
        handles += yard.enqueue_many(shop.wait_sync, LONG // 2, gate=str(gate))
        for handle in handles:
            assert yard.until_starts(handle).process == doomed.pid
        left.signal(signal.SIGCONT)
        doomed.kill()
        starts = [yard.until_starts(handle, 2) for handle in handles]
        assert {start.process for start in starts} == {left.pid}
        gate.touch()
        for handle in handles:
            row = yard.until_state(handle, "done")
            assert (row.crashes, row.attempts, row.claims) == (1, 1, 2)
            assert len(yard.starts(handle)) == 2
        for handle in handles[: LONG // 2]:
            assert yard.effects(handle) == [left.pid]
        assert "taken for dead" not in left.log


def test_the_jobs_of_a_host_that_is_gone_start_again_when_its_lease_ends(
    yard: Yard, proxy: Proxy
) -> None:
    """Its process is stopped and its connections are silent: PostgreSQL keeps its lock."""
    gone = yard.worker(url=proxy.url, **LEASE)
    gate = yard.gate()
    handles = yard.enqueue_many(shop.charge, 2, gate=str(gate))
    handles += yard.enqueue_many(shop.wait, 2, gate=str(gate))
    for handle in handles:
        yard.until_starts(handle)
    other = yard.worker(**LEASE)
    gone.signal(signal.SIGSTOP)
    assert proxy.freeze(lambda _link: True) >= 4
    ((end,),) = yard.rows(
        "SELECT extract(epoch FROM expires_at)::float8 FROM soniq_workers WHERE name LIKE %s",
        f"%:{gone.pid}",
    )
    locks = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"
    assert len(yard.rows(locks)) == 2
    starts = [yard.until_starts(handle, 2) for handle in handles]
    assert {start.process for start in starts} == {other.pid}
    assert min(start.at for start in starts) > end
    gate.touch()
    for handle in handles:
        assert yard.until_state(handle, "done").crashes == 1
    for handle in handles[:2]:
        assert yard.effects(handle) == [other.pid]
