"""The worker's own statements arrive, their answers do not: nothing is stuck, nothing runs twice."""

import signal

import pytest

from tests.faults.judges import AnswerTo
from tests.faults.messages import Message
from tests.faults.proxy import Link, Proxy, Verdict
from tests.process import shop
from tests.process.yard import SHORT_LEASE, Yard, until

CLAIM, FINISH, RELEASE = "picked", "finished_at=clock_timestamp()", "claimed_at=NULL"
ORDINARY_CLAIM = "soniq_jobs.crashes < "


@pytest.mark.parametrize("task", [shop.quick, shop.charge])
def test_a_job_whose_claim_got_no_answer_is_done(yard: Yard, proxy: Proxy, task: object) -> None:
    worker = yard.worker(url=proxy.url, **SHORT_LEASE)
    proxy.judge_answer = lost = AnswerTo(CLAIM, times=2)
    handles = [yard.enqueue(task) for _ in range(3)]
    for handle in handles:
        row = yard.until_state(handle, "done")
        assert (row.attempts, row.crashes) == (1, 0)
        assert len(yard.starts(handle)) == 1
    assert lost.happened == 2
    assert max(yard.row(handle).claims for handle in handles) >= 2
    assert "whose claim got no answer" in worker.log


def test_jobs_whose_finish_got_no_answer_are_done_and_not_run_again(
    yard: Yard, proxy: Proxy
) -> None:
    worker = yard.worker(url=proxy.url, **SHORT_LEASE)
    gate = yard.gate()
    handles = yard.enqueue_many(shop.wait, 20, gate=str(gate))
    for handle in handles:
        yard.until_starts(handle)
    proxy.judge_answer = lost = AnswerTo(FINISH)
    gate.touch()
    for handle in handles:
        row = yard.until_state(handle, "done")
        assert (row.attempts, row.claims) == (1, 1)
    later = yard.enqueue(shop.quick)
    yard.until_state(later, "done")
    assert lost.happened == 1
    assert len(yard.starts(handles[0])) == 1
    assert {len(yard.starts(handle)) for handle in handles} == {1}
    assert "belongs to another worker" not in worker.log


def test_jobs_whose_finish_never_arrived_are_finished_later_and_not_run_again(
    yard: Yard, proxy: Proxy
) -> None:
    cut: list[Link] = []

    def reset_at_finish(link: Link, message: Message) -> Verdict:
        if len(cut) < 3 and message.kind in {"P", "B"} and FINISH in message.sql:
            cut.append(link)
            return Verdict.RESET
        return Verdict.PASS

    yard.worker(url=proxy.url, **SHORT_LEASE)
    gate = yard.gate()
    handles = yard.enqueue_many(shop.wait, 20, gate=str(gate))
    for handle in handles:
        yard.until_starts(handle)
    proxy.judge_request = reset_at_finish
    gate.touch()
    for handle in handles:
        row = yard.until_state(handle, "done")
        assert (row.attempts, row.claims) == (1, 1)
        assert len(yard.starts(handle)) == 1
    assert len(cut) == 3


def test_a_failure_whose_record_got_no_answer_is_counted_once(yard: Yard, proxy: Proxy) -> None:
    yard.worker(url=proxy.url, **SHORT_LEASE)
    proxy.judge_answer = lost = AnswerTo("INSERT INTO soniq_attempts")
    handle = yard.enqueue(shop.fail_once)
    row = yard.until_state(handle, "done")
    assert lost.happened == 1
    assert (row.attempts, row.claims) == (2, 2)
    assert yard.rows("SELECT claim, outcome FROM soniq_attempts") == [(1, "failed")]


def test_a_release_whose_answer_is_lost_is_written_once(yard: Yard, proxy: Proxy) -> None:
    worker = yard.worker(url=proxy.url, SONIQ_SA_DRAIN_TIMEOUT="0.2")
    gate = yard.gate()
    handle = yard.enqueue(shop.wait, str(gate))
    yard.until_starts(handle)
    proxy.judge_answer = lost = AnswerTo(RELEASE)
    worker.signal(signal.SIGTERM)
    assert worker.exit_code() == 0
    assert lost.happened == 1
    row = yard.row(handle)
    assert (row.state, row.attempts, row.claims) == ("queued", 0, 1)


def test_a_claim_that_the_network_delivers_late_is_given_back(yard: Yard, proxy: Proxy) -> None:
    """The worker has given up waiting by then: the claim is carried out for nobody.

    One that PostgreSQL has begun to read before would be ended by its own time limit.
    """
    held: list[Link] = []

    def hold_a_claim(link: Link, message: Message) -> Verdict:
        is_claim = message.kind == "B" and ORDINARY_CLAIM in message.sql
        if not held and is_claim and link.has_executed(ORDINARY_CLAIM):
            held.append(link)
            return Verdict.FREEZE
        return Verdict.PASS

    worker = yard.worker(
        url=proxy.url, **SHORT_LEASE, SONIQ_SA_POLL_INTERVAL="0.5", SONIQ_SA_CONCURRENCY="1"
    )
    proxy.judge_request = hold_a_claim
    until(lambda: bool(held) and held[0].left_by_client, "the worker to give the claim up")
    gate = yard.gate()
    first = yard.enqueue(shop.wait, str(gate))
    yard.until_starts(first)
    second = yard.enqueue(shop.quick)
    held[0].deliver_late()
    until(lambda: yard.row(second).claims == 1, lambda: f"the late claim: {yard.row(second)}")
    worker.until_log("whose claim got no answer")
    row = yard.row(second)
    assert (row.state, row.claims, row.attempts) == ("queued", 1, 0)
    gate.touch()
    for handle in (first, second):
        yard.until_state(handle, "done")
    assert len(yard.starts(second)) == 1


def test_half_open_connections_are_given_up_and_made_anew(yard: Yard, proxy: Proxy) -> None:
    """All of them at once, as after a failover or a lost route."""
    worker = yard.worker(url=proxy.url, SONIQ_SA_HEARTBEAT="1")
    yard.until_state(yard.enqueue(shop.quick), "done")
    assert proxy.freeze(lambda _link: True) >= 4
    handle = yard.enqueue(shop.quick)
    yard.until_state(handle, "done", 30)
    assert len(yard.starts(handle)) == 1
    assert worker.popen.poll() is None


def test_a_half_open_connection_of_a_handler_costs_an_attempt_and_not_the_job(
    yard: Yard, proxy: Proxy
) -> None:
    worker = yard.worker(url=proxy.url)
    yard.until_state(yard.enqueue(shop.charge_in_time), "done")
    assert proxy.freeze(lambda link: link.has_executed("INSERT INTO effects")) == 1
    handle = yard.enqueue(shop.charge_in_time)
    yard.until_state(handle, "done", 30)
    assert len(yard.effects(handle)) == 1
    assert worker.popen.poll() is None


def test_a_half_open_listening_connection_is_noticed(yard: Yard, proxy: Proxy) -> None:
    worker = yard.worker(url=proxy.url, SONIQ_SA_HEARTBEAT="1", SONIQ_SA_POLL_INTERVAL="60")
    yard.until_state(yard.enqueue(shop.quick), "done")
    assert proxy.freeze(lambda link: link.has_executed("LISTEN")) == 1
    handle = yard.enqueue(shop.quick)
    until(lambda: listens(proxy), "it to listen anew", 15)
    for one in (handle, *(yard.enqueue(shop.quick) for _ in range(3))):
        yard.until_starts(one)
    assert worker.popen.poll() is None


def listens(proxy: Proxy) -> bool:
    """Tell whether a connection listens that is not half-open."""
    return any(link.has_executed("LISTEN") and not link.frozen for link in proxy.open_links)


def test_a_half_open_lease_connection_does_not_cost_the_lease(yard: Yard, proxy: Proxy) -> None:
    first = yard.worker(url=proxy.url, SONIQ_SA_LEASE="9", SONIQ_SA_HEARTBEAT="1")
    gate = yard.gate()
    handle = yard.enqueue(shop.wait, str(gate))
    yard.until_starts(handle)
    yard.worker(SONIQ_SA_LEASE="9", SONIQ_SA_HEARTBEAT="1")
    ((before,),) = yard.rows("SELECT now()")
    assert proxy.freeze(lambda link: link.has_executed("pg_try_advisory_lock")) == 1
    until(
        lambda: bool(
            yard.rows(
                "SELECT 1 FROM soniq_workers WHERE name LIKE %s "
                "AND beat_at > %s::timestamptz + interval '1 s'",
                f"%:{first.pid}",
                before,
            )
        ),
        "another beat",
    )
    gate.touch()
    row = yard.until_state(handle, "done")
    assert (row.claims, row.crashes) == (1, 0)
    assert "taken for dead" not in first.log


def test_without_a_lock_a_killed_worker_is_noticed_when_its_lease_ends(
    yard: Yard, proxy: Proxy
) -> None:
    """As behind a pooler, where a connection is not one's own."""
    proxy.hide_backend = True
    first = yard.worker(url=proxy.url, SONIQ_SA_LEASE="3", SONIQ_SA_RESCUE_INTERVAL="0.2")
    assert first.log.count("liveness: lease\n") == 1
    gate = yard.gate()
    handle = yard.enqueue(shop.charge, str(gate))
    yard.until_starts(handle)
    second = yard.worker(SONIQ_SA_LEASE="3", SONIQ_SA_RESCUE_INTERVAL="0.2")
    ((left,),) = yard.rows(
        "SELECT extract(epoch FROM expires_at - clock_timestamp()) FROM soniq_workers "
        "WHERE lock_key IS NULL"
    )
    first.kill()
    start = yard.until_starts(handle, 2)
    assert start.process == second.pid
    assert left > 0
    gate.touch()
    assert yard.until_state(handle, "done").crashes == 1
    assert yard.effects(handle) == [second.pid]
