"""The report sees what it promises to see: each figure on rows made by hand."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from soniq_sa.cli.demo.records import Records, records_of
from soniq_sa.cli.demo.report import Counts, Kill, Report, compute_report

COUNTS = Counts(requests=3, rolled_back=1, savepoints_rolled_back=1, newsletters=0)
VICTIM = UUID(int=7)


class Rows:
    """Rows of a shop that a test writes by itself."""

    def __init__(self, records: Records) -> None:
        self.records = records

    async def order(self, *, paper: str | None = None, complete: bool = True) -> int:
        """Insert an order, with everything that it promises when `complete`."""
        order: int = await self.records.value(
            "INSERT INTO orders (customer_id, total, gift_paper)"
            " SELECT min(id), 1, $1::text FROM customers RETURNING id",
            paper,
        )
        if complete:
            await self.invoice(order)
            for task in ("issue_invoice", "notify_warehouse"):
                await self.job(task, order=order)
            await self.job("send_confirmation", order_id=order)
        return order

    async def invoice(self, order: int) -> None:
        await self.records.value("INSERT INTO invoices (order_id, number) VALUES ($1, 'N')", order)

    async def job(
        self, task: str, *, state: str = "done", claims: int = 1, after_ms: int = 2, **args: int
    ) -> UUID:
        """Insert a job, claimed `after_ms` after now."""
        job: UUID = await self.records.value(
            "INSERT INTO soniq_jobs (id, task, args, state, claims, claimed_at, finished_at)"
            " VALUES ($1, 'shop.jobs.' || $2, ('{' || $3 || '}')::jsonb, $4, $5,"
            " clock_timestamp() + $6 * interval '1 ms', clock_timestamp() + interval '1 s')"
            " RETURNING id",
            uuid4(),
            task,
            ", ".join(f'"{name}": {value}' for name, value in args.items()),
            state,
            claims,
            after_ms,
        )
        return job

    async def report(self, counts: Counts = COUNTS, kill: Kill | None = None) -> Report:
        kill = kill or Kill(1, VICTIM, await self.records.now())
        return await compute_report(self.records, counts, kill)


@pytest.fixture
async def rows(shop_database: str) -> AsyncIterator[Rows]:
    async with records_of(shop_database) as records:
        await records.value("INSERT INTO customers (name, email) VALUES ('Ann', 'ann@shop')")
        yield Rows(records)


async def test_complete_orders_pass(rows: Rows) -> None:
    paper = await rows.order(paper="stars")
    await rows.job("wrap_gift", order=paper)
    await rows.order()
    report = await rows.report()
    assert report.passed
    assert (report.committed_orders, report.invoices, report.jobs) == (2, 2, 7)
    assert (report.requests, report.rolled_back, report.savepoints_rolled_back) == (3, 1, 1)


async def test_a_job_of_an_order_that_is_not_there_is_a_phantom(rows: Rows) -> None:
    await rows.job("issue_invoice", order=999, state="queued")
    await rows.job("send_confirmation", order_id=999)
    report = await rows.report()
    assert report.phantom_jobs == 2
    assert not report.passed


async def test_a_job_of_a_savepoint_that_was_rolled_back_is_a_phantom(rows: Rows) -> None:
    order = await rows.order()
    await rows.job("wrap_gift", order=order)
    assert (await rows.report()).phantom_jobs == 1


async def test_an_order_without_jobs_and_invoice_lost_them(rows: Rows) -> None:
    await rows.order(complete=False)
    report = await rows.report()
    assert report.lost_jobs == 4  # three jobs and the invoice
    assert not report.passed


async def test_an_unfinished_job_is_lost(rows: Rows) -> None:
    order = await rows.order(paper="stars")
    await rows.job("wrap_gift", order=order, state="dead")
    assert (await rows.report()).lost_jobs == 1


async def test_a_missing_newsletter_is_lost(rows: Rows) -> None:
    await rows.job("send_newsletter", customer_id=1)
    counts = Counts(requests=0, rolled_back=0, savepoints_rolled_back=0, newsletters=3)
    assert (await rows.report(counts)).lost_jobs == 2


async def test_every_invoice_beyond_the_first_is_a_duplicate(rows: Rows) -> None:
    order = await rows.order()
    await rows.invoice(order)
    await rows.invoice(order)
    report = await rows.report()
    assert report.duplicated_invoices == 2
    assert not report.passed


async def test_pickup_is_measured_from_the_commit_over_jobs_claimed_once(rows: Rows) -> None:
    order = await rows.order(complete=False)
    for _ in range(3):
        await rows.job("issue_invoice", order=order, after_ms=50)
    await rows.job("issue_invoice", order=order, after_ms=60_000, claims=2)
    report = await rows.report()
    assert report.pickup_from == "commit"
    assert report.pickup_jobs == 3
    assert 50 <= report.pickup_p50_ms <= report.pickup_p99_ms < 5_000


async def test_takeover_is_measured_to_the_next_claim(rows: Rows) -> None:
    order = await rows.order()
    kill = Kill(1, VICTIM, await rows.records.now())
    claimed_again = await rows.job("issue_invoice", order=order, claims=2, after_ms=1_000)
    failed_later = await rows.job("notify_warehouse", order=order, claims=3, after_ms=9_000)
    statement = (
        "INSERT INTO soniq_attempts (job_id, claim, worker_id, started_at, outcome)"
        " VALUES ($1, $2, $3, clock_timestamp() + $4 * interval '1 s', $5)"
    )
    await rows.records.value(statement, claimed_again, 1, VICTIM, 0, "crashed")
    await rows.records.value(statement, failed_later, 1, VICTIM, 0, "crashed")
    await rows.records.value(statement, failed_later, 2, UUID(int=8), 2, "failed")
    report = await rows.report(kill=kill)
    assert report.taken_over_jobs == 2
    assert report.failed_once == 1
    assert report.takeover_first_seconds == pytest.approx(1, abs=0.5)
    assert report.takeover_seconds == pytest.approx(2, abs=0.5)
