"""A worker may die before any message that it sends: its job is done once in the end (P3, P4)."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.faults.messages import Message
from tests.faults.nursery import Nursery, NurseryWorker, nursery_for
from tests.faults.proxy import Link, Proxy, Verdict, proxy_before
from tests.process import shop
from tests.process.yard import Yard, until

CALM = {"SONIQ_SA_LEASE": "60", "SONIQ_SA_HEARTBEAT": "20", "SONIQ_SA_POLL_INTERVAL": "60"}
"""What the worker that dies sends is what its job makes it send."""
ALERT = {"SONIQ_SA_LEASE": "1.5", "SONIQ_SA_HEARTBEAT": "0.3", "SONIQ_SA_RESCUE_INTERVAL": "0.1"}
ROUND_TRIPS = {"Q", "S", "H", "X"}
"""Messages that have the server carry out, for good, what was sent before: query, sync, flush, end."""
MOST_MESSAGES = 100
"""More than one job takes, also where asyncpg asks about the types of arrays on each new connection."""


class Death:
    """Kill a worker in the place of its n-th message from now on."""

    def __init__(self, proxy: Proxy, worker: NurseryWorker, after: int) -> None:
        self.happened = False
        self.said: list[str] = []
        self._worker = worker
        self._after = after
        proxy.judge_request = self._judge

    def _judge(self, link: Link, message: Message) -> Verdict:
        if message.kind not in ROUND_TRIPS:
            return Verdict.PASS
        self.said.append(f"{message.kind} after {link.sqls[-1:]}")
        if len(self.said) < self._after or self.happened:
            return Verdict.PASS
        self.happened = True
        self._worker.kill()
        link.proxy.cut_everything()
        return Verdict.RESET


@pytest.fixture
def nursery(yard: Yard) -> Iterator[Nursery]:
    with nursery_for(yard) as made:
        yield made


@pytest.mark.parametrize("task", [shop.charge, shop.charge_sync, shop.quick])
def test_a_worker_may_die_before_any_of_its_messages(
    yard: Yard, nursery: Nursery, task: Any
) -> None:
    for after in count(1):
        with proxy_before(yard.url) as proxy:
            first = nursery.worker(proxy.url, **CALM).until_started()
            death = Death(proxy, first, after)
            handle = yard.enqueue(task)
            until(
                lambda death=death, handle=handle: (  # type: ignore[misc]
                    death.happened or yard.row(handle).state == "done"
                ),
                "death or success",
            )
            if not death.happened:
                assert after > 5
                break
            second = nursery.worker(**ALERT)
            row = yard.until_state(handle, "done")
            told = f"death before message {after}: {death.said[-1]}"
            assert row.attempts == 1, told
            assert row.crashes <= 1, told
            assert row.claims == row.crashes + 1, told
            assert len(yard.starts(handle)) <= 2, told
            if task is not shop.quick:
                assert len(yard.effects(handle)) == 1, told
            second.until_started().stop()
        assert after < MOST_MESSAGES
    assert yard.violations() == ()
