"""The figures at the end of the demo, and whether they are as promised."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from soniq_sa.cli.demo import records
from soniq_sa.cli.demo.records import Records


@dataclass(frozen=True, slots=True)
class Kill:
    """A worker process that was ended with SIGKILL while it held jobs; by the database's clock."""

    pid: int
    worker: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """What the demo itself counted: requests that got the expected answer, and newsletter jobs."""

    requests: int
    rolled_back: int
    savepoints_rolled_back: int
    newsletters: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the demo found out.

    phantom_jobs: jobs of an order, or of a gift paper, that was rolled back.
    lost_jobs: jobs that a committed order or newsletter promised and that are not done, and
        committed orders without an invoice.
    duplicated_invoices: invoices beyond the first of an order.
    pickup_p50_ms, pickup_p99_ms: from `pickup_from` to the claim by a worker, of `pickup_jobs` jobs
        of orders that were claimed once.
    jobs_per_second: of a backlog of `backlog_jobs`, from the first claim to the last finish.
    taken_over_jobs: jobs that the killed worker held. They were claimed again, by the database's
        clock, between `takeover_first_seconds` and `takeover_seconds` after the kill.
    """

    requests: int
    rolled_back: int
    savepoints_rolled_back: int
    committed_orders: int
    invoices: int
    jobs: int
    failed_once: int
    phantom_jobs: int
    lost_jobs: int
    duplicated_invoices: int
    pickup_from: str
    pickup_jobs: int
    pickup_p50_ms: float
    pickup_p99_ms: float
    backlog_jobs: int
    jobs_per_second: float
    taken_over_jobs: int
    takeover_first_seconds: float
    takeover_seconds: float

    @property
    def passed(self) -> bool:
        """Say whether nothing was invented, lost or done twice."""
        return not (self.phantom_jobs or self.lost_jobs or self.duplicated_invoices)

    def document(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {"passed": self.passed, **asdict(self)}


async def compute_report(database: Records, counts: Counts, kill: Kill) -> Report:
    """Ask the database for the figures."""
    tracked = await database.knows_commit_times()
    enqueued_at = records.COMMITTED_AT if tracked else records.TRANSACTION_STARTED_AT
    pickup = await database.row(records.PICKUP.format(enqueued_at=enqueued_at))
    takeover = await database.row(records.TAKEOVER, kill.worker, kill.at)
    return Report(
        requests=counts.requests,
        rolled_back=counts.rolled_back,
        savepoints_rolled_back=counts.savepoints_rolled_back,
        **await database.row(records.TOTALS),
        phantom_jobs=await database.value(records.PHANTOMS),
        lost_jobs=await database.value(records.LOST, counts.newsletters),
        duplicated_invoices=await database.value(records.DUPLICATES),
        pickup_from="commit" if tracked else "start of the transaction",
        pickup_jobs=pickup["jobs"],
        pickup_p50_ms=_rounded(pickup["p50"], 2),
        pickup_p99_ms=_rounded(pickup["p99"], 2),
        backlog_jobs=counts.newsletters,
        jobs_per_second=_rounded(await database.value(records.BACKLOG), 0),
        taken_over_jobs=takeover["jobs"],
        takeover_first_seconds=_rounded(takeover["first"], 2),
        takeover_seconds=_rounded(takeover["last"], 2),
    )


def _rounded(figure: Any, digits: int) -> float:
    return round(float(figure or 0), digits)
