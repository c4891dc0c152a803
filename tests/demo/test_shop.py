"""The example shop: a job exists if and only if what enqueued it was committed."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from soniq_sa.cli.demo.records import Records, records_of
from soniq_sa.cli.demo.shop import Shop, shop_on

JOBS = "SELECT string_agg(split_part(task, '.', 3), ' ' ORDER BY task) FROM soniq_jobs"


@pytest.fixture
async def shop(shop_database: str, tmp_path: Path) -> AsyncIterator[Shop]:
    with shop_on(shop_database, tmp_path) as shop:
        yield shop


@pytest.fixture
async def client(shop: Shop) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=await shop.open(), trust_env=False) as client:
        answer = await client.post("/customers", json={"name": "Ann", "email": "ann@shop"})
        assert answer.json() == 1
        yield client


@pytest.fixture
async def records(shop_database: str) -> AsyncIterator[Records]:
    async with records_of(shop_database) as records:
        yield records


async def order(client: httpx2.AsyncClient, **choices: str) -> httpx2.Response:
    return await client.post("/orders", json={"customer_id": 1, "total": "9.90", **choices})


async def test_a_committed_order_has_its_jobs(client: httpx2.AsyncClient, records: Records) -> None:
    answer = await order(client)
    assert answer.status_code == 201
    assert answer.json() == {"order_id": 1, "gift_paper": None}
    assert await records.value(JOBS) == "issue_invoice notify_warehouse send_confirmation"


async def test_an_order_that_is_rolled_back_has_none(
    client: httpx2.AsyncClient, records: Records
) -> None:
    answer = await order(client, card="declined", gift_paper="stars")
    assert answer.status_code == 402
    assert await records.value(JOBS) is None
    assert await records.value("SELECT count(*) FROM orders") == 0
    # The rows were written before they were rolled back: the sequence went on.
    assert (await order(client)).json()["order_id"] == 2


async def test_a_savepoint_that_is_rolled_back_takes_its_job_along(
    client: httpx2.AsyncClient, records: Records
) -> None:
    answer = await order(client, gift_paper="gold")
    assert answer.json() == {"order_id": 1, "gift_paper": None}
    assert await records.value(JOBS) == "issue_invoice notify_warehouse send_confirmation"


async def test_a_savepoint_that_is_kept_keeps_its_job(
    client: httpx2.AsyncClient, records: Records
) -> None:
    answer = await order(client, gift_paper="stars")
    assert answer.json() == {"order_id": 1, "gift_paper": "stars"}
    assert "wrap_gift" in await records.value(JOBS)


async def test_only_a_customer_can_order(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/orders", json={"customer_id": 99, "total": "1"})
    assert answer.status_code == 404


async def test_a_newsletter_is_a_job_for_every_customer(
    client: httpx2.AsyncClient, records: Records
) -> None:
    answer = await client.post("/newsletters", params={"issue": 1, "copies": 50})
    assert (answer.status_code, answer.json()) == (202, 50)
    assert await records.value("SELECT count(*) FROM soniq_jobs") == 50
