"""Roles that have limits of their own: ``ALTER ROLE ... SET``."""

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from soniq_sa.localserver.databases import libpq_url
from tests.faults import till
from tests.faults.pooler import pooler_before
from tests.process import shop
from tests.process.yard import SHORT_LEASE, Yard, until

STRICT = {
    "statement_timeout": "500ms",
    "lock_timeout": "100ms",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "idle_in_transaction_session_timeout": "1s",
    "idle_session_timeout": "1s",
    "transaction_timeout": "1s",
}
PATIENT = {"SONIQ_SA_POLL_INTERVAL": "300"}

MakeRole = Callable[..., str]


@pytest.fixture
def limited(yard: Yard) -> Iterator[MakeRole]:
    """Return what makes a role with settings, and returns the URL of the yard's database for it."""
    made = []

    def make(**settings: str) -> str:
        name, password = f"limited_{secrets.token_hex(4)}", secrets.token_hex(8)
        yard.rows(f"CREATE ROLE {name} LOGIN SUPERUSER PASSWORD '{password}'")
        made.append(name)
        known = {name for (name,) in yard.rows("SELECT name FROM pg_settings")}
        for setting in settings.keys() & known:
            yard.rows(f"ALTER ROLE {name} SET {setting} = '{settings[setting]}'")
        url = make_url(yard.url).set(username=name, password=password)
        return url.render_as_string(hide_password=False)

    yield make
    yard.kill_workers()
    for name in made:
        yard.rows(f"DROP ROLE {name}")


def beats(yard: Yard) -> datetime:
    """Return when the only worker last gave a sign of life, by the clock of the database."""
    ((at,),) = yard.rows("SELECT max(beat_at) FROM soniq_workers")
    found: datetime = at
    return found


def hold_up(yard: Yard, handles: list[Any]) -> None:
    """Have claims wait for a lock for longer than the role may."""
    with psycopg.connect(libpq_url(yard.url)) as connection:
        connection.execute("LOCK TABLE soniq_jobs IN EXCLUSIVE MODE")
        connection.execute("SELECT pg_notify('soniq_jobs', '')")
        waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'soniq_jobs'::regclass"
        until(lambda: bool(yard.rows(waits)), "a claim that waits")
        connection.execute("SELECT pg_sleep(1)")
    for handle in handles:
        yard.until_state(handle, "done")


def test_no_limit_of_the_role_holds_for_the_workers_own_statements(
    yard: Yard, limited: MakeRole
) -> None:
    run_limited(yard, limited(**STRICT))


def test_no_limit_of_the_role_holds_for_the_workers_own_statements_behind_a_pooler(
    yard: Yard, limited: MakeRole
) -> None:
    with pooler_before(limited(**STRICT)) as pooler:
        run_limited(yard, pooler.url)
        yard.kill_workers()


def run_limited(yard: Yard, url: str) -> None:
    """Run jobs for a role with limits, hold the worker up, and leave it alone for some time."""
    worker = yard.worker(url=url, SONIQ_SA_POLL_INTERVAL="0.5")
    worker.until_log(" started: ")
    told = worker.log.count("no database")
    hold_up(yard, yard.enqueue_many(shop.quick, 20))
    hold_up(yard, [yard.enqueue(shop.fail_once)])
    assert worker.log.count("no database") == told, worker.log
    assert "failed, and tries again" not in worker.log


def test_the_connections_of_an_idle_worker_outlive_the_idle_limit_of_the_role(
    yard: Yard, limited: MakeRole
) -> None:
    worker = yard.worker(url=limited(idle_session_timeout="1s"), **SHORT_LEASE, **PATIENT)
    pids = "SELECT pid FROM pg_stat_activity WHERE usename LIKE 'limited%%' ORDER BY pid"
    yard.until_state(yard.enqueue(shop.quick), "done")
    before, began = yard.rows(pids), beats(yard)
    until(lambda: (beats(yard) - began).total_seconds() > 3, "three seconds")
    yard.until_state(yard.enqueue(shop.quick), "done")
    assert set(before) <= set(yard.rows(pids))
    assert "no database" not in worker.log


def test_a_handler_that_is_silent_for_too_long_fails_with_the_reason_and_leaves_nothing(
    yard: Yard, limited: MakeRole
) -> None:
    """The role's limit holds for the handler's session: that is the application's."""
    yard.arguments = till.APP
    worker = yard.worker(url=limited(idle_in_transaction_session_timeout="300ms"))
    handle = yard.enqueue(till.serve.options(retries=0), 2)
    row = yard.until_state(handle, "dead", 30)
    assert "idle_in_transaction_session_timeout" in row.error
    assert (row.attempts, row.claims) == (1, 4)
    assert yard.effects(handle) == []
    assert worker.popen.poll() is None


def test_a_handler_that_was_silent_for_too_long_runs_again(yard: Yard, limited: MakeRole) -> None:
    yard.arguments = till.APP
    yard.worker(url=limited(idle_in_transaction_session_timeout="300ms"))
    gate = yard.gate()
    handle = yard.enqueue(till.serve_slowly_once, 2, str(gate))
    yard.until_starts(handle)
    gate.touch()
    row = yard.until_state(handle, "done", 30)
    assert row.claims > 1
    assert len(yard.effects(handle)) == 1


def test_a_sync_handler_that_is_silent_for_too_long_runs_again_and_leaves_nothing_half_done(
    yard: Yard, limited: MakeRole
) -> None:
    """If the driver hears what has happened, it is an attempt like any other, with the reason."""
    yard.worker(url=limited(idle_in_transaction_session_timeout="1s"))
    gate = yard.gate()
    handle = yard.enqueue(shop.charge_sync, str(gate))
    yard.until_starts(handle)
    idle = "SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction'"
    until(lambda: bool(yard.rows(idle)), "the session to fall silent")
    until(lambda: not yard.rows(idle), "the end of the session")
    gate.touch()
    row = yard.until_state(handle, "done")
    errors = yard.rows("SELECT error FROM soniq_attempts WHERE job_id = %s", handle.id)
    assert all("idle-in-transaction timeout" in error for (error,) in errors)
    assert row.claims > 1
    assert len(yard.effects(handle)) == 1
