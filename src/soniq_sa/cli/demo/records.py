"""What the database says: while the demo runs, and at its end.

Every figure of the report comes from these statements. They are written out, so that a reader can check them and type
them into psql after `--keep`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from soniq_sa.cli.demo.failure import TookTooLongError

STATEMENT_TIMEOUT = 60

WORKERS = """
SELECT id, name FROM soniq_workers WHERE expires_at > clock_timestamp()
"""

HELD = """
SELECT count(*) FROM soniq_jobs WHERE state = 'processing' AND worker_id = $1
"""

UNFINISHED = """
SELECT count(*) FROM soniq_jobs WHERE state IN ('scheduled', 'queued', 'processing')
"""

STATES = """
SELECT string_agg(jobs || ' ' || state, ', ' ORDER BY jobs DESC)
FROM (SELECT state, count(*) AS jobs FROM soniq_jobs GROUP BY state) AS of_each_state
"""

TOTALS = """
SELECT (SELECT count(*) FROM orders)                                   AS committed_orders,
       (SELECT count(*) FROM invoices)                                 AS invoices,
       (SELECT count(*) FROM soniq_jobs)                               AS jobs,
       (SELECT count(*) FROM soniq_attempts WHERE outcome = 'failed')  AS failed_once
"""

# A job that nobody committed: of an order that was rolled back, or of a gift paper whose savepoint was.
PHANTOMS = """
SELECT count(*)
FROM soniq_jobs
LEFT JOIN orders ON orders.id = coalesce(args->>'order', args->>'order_id')::bigint
WHERE task <> 'shop.jobs.send_newsletter'
  AND (orders.id IS NULL OR task = 'shop.jobs.wrap_gift' AND orders.gift_paper IS NULL)
"""

# What a committed order or newsletter promised, and what is not there: a finished job, or an invoice.
LOST = """
WITH promised AS (
    SELECT orders.id, promise.task
    FROM orders
    CROSS JOIN LATERAL (VALUES ('shop.jobs.issue_invoice'), ('shop.jobs.notify_warehouse'),
                               ('shop.jobs.send_confirmation'),
                               (CASE WHEN gift_paper IS NOT NULL THEN 'shop.jobs.wrap_gift' END)
                       ) AS promise (task)
    WHERE promise.task IS NOT NULL
), finished AS (
    SELECT task, coalesce(args->>'order', args->>'order_id')::bigint AS order_id
    FROM soniq_jobs WHERE state = 'done'
)
SELECT (SELECT count(*) FROM promised
        WHERE NOT EXISTS (SELECT FROM finished
                          WHERE finished.task = promised.task AND finished.order_id = promised.id))
     + (SELECT count(*) FROM orders
        WHERE NOT EXISTS (SELECT FROM invoices WHERE invoices.order_id = orders.id))
     + $1 - (SELECT count(*) FROM finished WHERE task = 'shop.jobs.send_newsletter')
"""

DUPLICATES = """
SELECT coalesce(sum(invoices - 1), 0)::bigint
FROM (SELECT count(*) AS invoices FROM invoices GROUP BY order_id) AS of_one_order
"""

# Of jobs that were claimed once, so neither retried nor interrupted by the kill. An order's row is
# never updated after its transaction, so its xmin is the transaction that enqueued the jobs.
PICKUP = """
SELECT count(*) AS jobs,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY waited) AS p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY waited) AS p99
FROM (SELECT greatest(0, 1000 * extract(epoch FROM claimed_at - {enqueued_at})) AS waited
      FROM soniq_jobs
      JOIN orders ON orders.id = coalesce(args->>'order', args->>'order_id')::bigint
      WHERE claims = 1 AND state = 'done') AS claimed_once
"""
COMMITTED_AT = "pg_xact_commit_timestamp(orders.xmin)"
TRANSACTION_STARTED_AT = "soniq_jobs.created_at"

BACKLOG = """
SELECT count(*) / nullif(extract(epoch FROM max(finished_at) - min(claimed_at)), 0)
FROM soniq_jobs WHERE task = 'shop.jobs.send_newsletter'
"""

# From the kill to the next claim of each job that the killed worker held.
TAKEOVER = """
SELECT count(*) AS jobs,
       extract(epoch FROM min(claimed_again - $2)) AS first,
       extract(epoch FROM max(claimed_again - $2)) AS last
FROM (SELECT coalesce(later.started_at, soniq_jobs.claimed_at) AS claimed_again
      FROM soniq_attempts AS crashed
      JOIN soniq_jobs ON soniq_jobs.id = crashed.job_id
      LEFT JOIN soniq_attempts AS later
             ON later.job_id = crashed.job_id AND later.claim = crashed.claim + 1
      WHERE crashed.worker_id = $1 AND crashed.outcome = 'crashed') AS taken_over
"""


class Records:
    """The questions that the demo asks, on one connection."""

    def __init__(self, connection: asyncpg.Connection[Any]) -> None:
        self._connection = connection

    async def value(self, statement: str, *values: object) -> Any:
        """Return the first column of the first row."""
        return await self._connection.fetchval(statement, *values, timeout=STATEMENT_TIMEOUT)

    async def row(self, statement: str, *values: object) -> dict[str, Any]:
        """Return the first row by column names."""
        row = await self._connection.fetchrow(statement, *values, timeout=STATEMENT_TIMEOUT)
        return dict(row or {})

    async def workers(self) -> dict[int, UUID]:
        """Return the ids of the living workers by their process ids: a worker's name is host:pid."""
        rows = await self._connection.fetch(WORKERS, timeout=STATEMENT_TIMEOUT)
        return {int(row["name"].rpartition(":")[2]): row["id"] for row in rows}

    async def held(self, worker: UUID) -> int:
        """Return how many jobs the worker has in the state `processing`."""
        return int(await self.value(HELD, worker))

    async def unfinished(self) -> int:
        """Return how many jobs are still to be done."""
        return int(await self.value(UNFINISHED))

    async def states(self) -> str:
        """Return how many jobs there are of each state, in words."""
        return await self.value(STATES) or "no jobs"

    async def now(self) -> datetime:
        """Return the time by the database's clock."""
        now: datetime = await self.value("SELECT clock_timestamp()")
        return now

    async def knows_commit_times(self) -> bool:
        """Say whether the server records when a transaction was committed."""
        return bool(await self.value("SELECT current_setting('track_commit_timestamp')::bool"))


@asynccontextmanager
async def records_of(url: str) -> AsyncIterator[Records]:
    """Open a connection for the demo's questions; `url` as psql reads it."""
    connection = await asyncpg.connect(url, timeout=STATEMENT_TIMEOUT)
    try:
        yield Records(connection)
    finally:
        connection.terminate()  # without a word to the server: this may be the end after Ctrl-C


async def wait_until(
    condition: Callable[[], Awaitable[bool]], what: str, *, patience: float, every: float = 0.1
) -> None:
    """Wait until a condition holds; raise `TookTooLongError` after `patience` seconds."""
    try:
        async with asyncio.timeout(patience):
            while not await condition():  # noqa: ASYNC110  a condition of other processes
                await asyncio.sleep(every)
    except TimeoutError:
        raise TookTooLongError(f"waited {patience:g} s in vain for {what}") from None
