"""Job ids: UUID version 7, growing within the process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from uuid import RFC_4122, UUID

import pytest
from sqlalchemy.orm import Session

from soniq_sa import enqueue, enqueue_many
from soniq_sa.ids import uuid7
from tests.words.app import make_soniq


def work(number: int) -> None:
    del number


def test_the_handle_knows_the_id_of_the_row_before_any_flush() -> None:
    handle = enqueue(Session(), make_soniq().job(work), 1)
    assert isinstance(handle.id, UUID)
    assert handle.row.id == handle.id


def test_ids_are_of_version_7_with_the_time_in_front() -> None:
    before = time.time_ns() // 1_000_000
    found = enqueue(Session(), make_soniq().job(work), 1).id
    after = time.time_ns() // 1_000_000
    assert (found.version, found.variant) == (7, RFC_4122)
    assert before <= found.int >> 80 <= after + 1000


def test_ids_grow_in_the_order_of_enqueueing() -> None:
    task = make_soniq().job(work)
    session = Session()
    ids = [enqueue(session, task, number).id for number in range(50)]
    ids += [handle.id for handle in enqueue_many(session, task, [{"number": n} for n in range(50)])]
    ids += [enqueue(session, task, number).id for number in range(50)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 150


def test_ids_of_one_millisecond_grow_and_keep_version_and_variant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frozen = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: frozen)
    ids = [uuid7() for _ in range(20_000)]
    assert all(one < other for one, other in pairwise(ids))
    assert {(one.version, one.variant) for one in ids} == {(7, RFC_4122)}


def test_ids_grow_while_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = uuid7()
    yesterday = time.time_ns() - 86_400 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: yesterday)
    ids = [first, *(uuid7() for _ in range(5_000))]
    assert ids == sorted(set(ids))


@pytest.fixture
def switching() -> Iterator[None]:
    """Have the threads take turns as often as the interpreter can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("switching")
def test_an_id_is_greater_than_those_that_other_threads_were_given_before() -> None:
    order = threading.Lock()
    ids: list[UUID] = []
    alone: list[UUID] = []

    def make() -> None:
        for _ in range(2_000):
            with order:
                ids.append(uuid7())
            alone.append(uuid7())

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ids == sorted(ids)
    assert len({*ids, *alone}) == 16_000


FORKING = """
    import os, signal, threading
    from soniq_sa import ids

    held, released = threading.Event(), threading.Event()

    def hold_the_lock():
        with ids._lock:
            held.set()
            released.wait()

    before = ids.uuid7()
    threading.Thread(target=hold_the_lock).start()
    held.wait()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        os.write(writer, ids.uuid7().bytes + ids.uuid7().bytes)
        os._exit(0)
    told = os.read(reader, 32)
    released.set()
    assert os.waitpid(child, 0)[1] == 0
    assert before.bytes < told[:16] < told[16:]
    assert ids.uuid7().bytes not in {told[:16], told[16:]}
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_process_makes_ids_of_its_own_whoever_held_the_lock() -> None:
    subprocess.run([sys.executable, "-c", textwrap.dedent(FORKING)], check=True, timeout=20)
