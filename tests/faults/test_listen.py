"""Workers that lose the connection which wakes them, or all of them, are soon woken again.

The poll interval is raised to a minute, so that nothing but a wake-up starts a job in time, and beats
look for nothing either. Everything else is at its default: a beat every five seconds.
"""

from collections.abc import Callable

import pytest

from tests.faults.proxy import Link, Proxy
from tests.process import shop
from tests.process.yard import WorkerProcess, Yard, until

WAKE_UPS_ONLY = {"SONIQ_SA_POLL_INTERVAL": "60"}
LISTENERS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
)


def assert_woken(yard: Yard, worker: WorkerProcess) -> None:
    """Check that jobs start, one after the other, before anybody polls."""
    for _ in range(5):
        yard.until_starts(yard.enqueue(shop.quick))
    assert worker.popen.poll() is None


def test_a_killed_listening_backend_is_replaced_at_once(yard: Yard) -> None:
    """Whenever it happens: the worker is told by the end of the connection, and looks for jobs."""
    worker = yard.worker(**WAKE_UPS_ONLY)
    for _ in range(3):
        until(lambda: len(yard.rows(LISTENERS)) == 1, "a LISTEN")
        ((pid,),) = yard.rows(LISTENERS)
        yard.rows("SELECT pg_terminate_backend(%s)", pid)
        lost = yard.enqueue(shop.quick)  # perhaps said to nobody
        yard.until_starts(lost)
        until(lambda pid=pid: pid not in {row.pid for row in yard.rows(LISTENERS)}, "the end")  # type: ignore[misc]
        assert_woken(yard, worker)
    assert "failed, and tries again" not in worker.log


@pytest.mark.parametrize(
    "chosen",
    [lambda link: link.has_executed("LISTEN"), lambda _link: True],
    ids=["the listening one", "all"],
)
def test_half_open_connections_are_noticed_by_a_beat(
    yard: Yard, proxy: Proxy, chosen: Callable[[Link], bool]
) -> None:
    """One that listens: by a beat that is confirmed and not heard. All: by one that is not confirmed."""
    worker = yard.worker(url=proxy.url, **WAKE_UPS_ONLY)
    yard.until_state(yard.enqueue(shop.quick), "done")
    before = len(proxy.links)
    frozen = [link for link in proxy.open_links if chosen(link)]
    assert proxy.freeze(chosen) == len(frozen) >= 1
    lost = yard.enqueue(shop.quick)
    until(lambda: any(link.has_executed("LISTEN") for link in proxy.links[before:]), "a LISTEN", 20)
    yard.until_starts(lost)
    assert_woken(yard, worker)
    assert len(yard.starts(lost)) == 1
    assert "taken for dead" not in worker.log


def test_a_slow_answer_to_a_beat_costs_connections_and_nothing_else(
    yard: Yard, proxy: Proxy
) -> None:
    """The server was busy, and the connections were sound: running jobs do not notice."""
    worker = yard.worker(url=proxy.url, **WAKE_UPS_ONLY)
    gate = yard.gate()
    handles = [yard.enqueue(shop.charge, str(gate)), yard.enqueue(shop.wait, str(gate))]
    for handle in handles:
        yard.until_starts(handle)
    before = len(proxy.links)
    beating = "pg_try_advisory_lock"
    assert proxy.freeze(lambda link: link.has_executed(beating)) == 1
    until(
        lambda: any(link.has_executed("LISTEN") for link in proxy.links[before:]), "another LISTEN"
    )
    gate.touch()
    for handle in handles:
        row = yard.until_state(handle, "done")
        assert (row.claims, row.crashes, len(yard.starts(handle))) == (1, 0, 1)
    assert_woken(yard, worker)
