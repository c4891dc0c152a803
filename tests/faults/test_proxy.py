"""The proxy does to connections what it says: other tests rely on that."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest

from soniq_sa.localserver.databases import libpq_url
from tests.faults.judges import AnswerTo, CutAfter
from tests.faults.messages import Message
from tests.faults.proxy import Link, Proxy, Verdict, let_pass, proxy_before
from tests.process.yard import until


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    """Return a proxy in front of an empty database."""
    with proxy_before(database_url) as made:
        yield made


@pytest.fixture
def client(proxy: Proxy) -> Iterator[psycopg.Connection]:
    """Return a connection through the proxy."""
    with connected(proxy) as made:
        yield made


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Return threads for what does not answer."""
    with ThreadPoolExecutor() as made:
        yield made


def connected(proxy: Proxy) -> psycopg.Connection:
    return psycopg.connect(libpq_url(proxy.url), autocommit=True)


def answer(client: psycopg.Connection) -> int:
    (found,) = client.execute("SELECT 1").fetchone() or ()
    return int(found)


def asked(threads: ThreadPoolExecutor, proxy: Proxy, client: psycopg.Connection) -> Future[int]:
    """Ask in another thread, and wait until the proxy holds the question back."""
    (link,) = proxy.open_links
    before = len(link.sqls)
    future = threads.submit(answer, client)
    until(lambda: len(link.sqls) > before, "the question")
    assert not future.done()
    return future


def test_what_is_not_disturbed_passes(client: psycopg.Connection) -> None:
    assert answer(client) == 1


def test_delayed_messages_take_longer_in_both_directions(
    proxy: Proxy, client: psycopg.Connection
) -> None:
    proxy.delay = 0.1
    began = time.monotonic()
    assert answer(client) == 1
    assert time.monotonic() - began >= 0.2


def test_a_frozen_connection_says_nothing_until_it_is_reset(
    proxy: Proxy, client: psycopg.Connection, threads: ThreadPoolExecutor
) -> None:
    assert proxy.freeze(lambda _link: True) == 1
    future = asked(threads, proxy, client)
    with connected(proxy) as another:
        assert answer(another) == 1
    assert not future.done()
    proxy.reset(lambda link: link.frozen)
    with pytest.raises(psycopg.OperationalError):
        future.result(10)


def test_what_was_held_back_is_delivered_when_it_is_let_go(
    proxy: Proxy, client: psycopg.Connection, threads: ThreadPoolExecutor
) -> None:
    proxy.freeze(lambda _link: True)
    future = asked(threads, proxy, client)
    proxy.let_go()
    assert future.result(10) == 1
    assert answer(client) == 1


def test_what_was_held_back_reaches_the_server_also_if_the_client_has_left(
    proxy: Proxy, client: psycopg.Connection, threads: ThreadPoolExecutor
) -> None:
    client.execute("CREATE TABLE late (id int)")
    (link,) = proxy.open_links
    proxy.freeze(lambda _link: True)
    future = threads.submit(client.execute, "INSERT INTO late VALUES (1)")
    until(lambda: link.has_executed("INSERT"), "the statement")
    client.close()
    with pytest.raises(psycopg.Error):
        future.result(10)
    until(lambda: link.left_by_client, "the client to leave")
    with connected(proxy) as another:
        count = "SELECT count(*) FROM late"
        assert another.execute(count).fetchall() == [(0,)]
        proxy.let_go()
        until(lambda: another.execute(count).fetchall() == [(1,)], "the late row")


def test_a_connection_that_the_server_has_left_meanwhile_is_closed_when_it_is_let_go(
    proxy: Proxy, client: psycopg.Connection, threads: ThreadPoolExecutor
) -> None:
    (link,) = proxy.open_links
    proxy.freeze(lambda _link: True)
    future = asked(threads, proxy, client)
    with connected(proxy) as another:
        another.execute("SELECT pg_terminate_backend(%s)", [client.info.backend_pid])
    until(lambda: link.left_by_server, "the server to leave")
    assert not future.done()
    proxy.let_go()
    with pytest.raises(psycopg.OperationalError):
        future.result(10)


def test_refused_connections_are_refused_until_they_are_not(proxy: Proxy) -> None:
    proxy.refusing = True
    with pytest.raises(psycopg.OperationalError):
        connected(proxy)
    proxy.refusing = False
    with connected(proxy) as client:
        assert answer(client) == 1


def test_reset_connections_are_closed_and_others_can_be_made(
    proxy: Proxy, client: psycopg.Connection
) -> None:
    proxy.reset(lambda _link: True)
    with pytest.raises(psycopg.OperationalError):
        answer(client)
    with connected(proxy) as another:
        assert answer(another) == 1


def test_a_statement_whose_answer_is_lost_was_carried_out(
    proxy: Proxy, client: psycopg.Connection
) -> None:
    client.execute("CREATE TABLE done (id int)")
    proxy.judge_answer = lost = AnswerTo("INSERT")
    with pytest.raises(psycopg.OperationalError):
        client.execute("INSERT INTO done VALUES (1)")
    assert lost.happened == 1
    with connected(proxy) as another:
        assert another.execute("SELECT id FROM done").fetchall() == [(1,)]


def test_everything_is_cut_in_the_place_of_one_message(
    proxy: Proxy, client: psycopg.Connection
) -> None:
    other = connected(proxy)
    proxy.judge_request = cut = CutAfter(3)
    assert answer(client) == answer(client) == 1
    with pytest.raises(psycopg.OperationalError):
        answer(client)
    assert cut.happened
    with pytest.raises(psycopg.OperationalError):
        answer(other)
    with connected(proxy) as another:
        assert answer(another) == 1
    other.close()


def test_a_lost_message_leaves_the_connection_as_it_is(
    proxy: Proxy, client: psycopg.Connection, threads: ThreadPoolExecutor
) -> None:
    def lose(_link: Link, _message: Message) -> Verdict:
        return Verdict.LOSE

    proxy.judge_request = lose
    future = asked(threads, proxy, client)
    proxy.judge_request = let_pass
    (link,) = proxy.open_links
    assert not link.closed
    proxy.reset(lambda _link: True)
    with pytest.raises(psycopg.OperationalError):
        future.result(10)
