"""The audit sees a system at work, and workers that are killed, without a false alarm (P4, P5)."""

from __future__ import annotations

import asyncio

import pytest

from soniq_sa import AuditReport, Soniq
from tests.faults.nursery import Nursery, nursery_for
from tests.process import shop
from tests.process.yard import SHORT_LEASE, Yard, until

JOBS = 200
KILLS = 4
SETTINGS = {**SHORT_LEASE, "SONIQ_SA_CONCURRENCY": "8"}
PATIENCE = 4.0
"""Seconds; more than the lease of these workers and two looks."""


async def audit(yard: Yard, patience: float) -> AuditReport:
    """Return what an audit finds."""
    soniq = Soniq(shop.Base.metadata, database_url=yard.url)
    try:
        return await soniq.audit(patience=patience)
    finally:
        await soniq.databases.dispose()


def fight(yard: Yard, nursery: Nursery) -> None:
    """Kill one of two workers again and again while they drain jobs of all kinds."""
    crew = [nursery.worker(**SETTINGS).until_started() for _ in range(2)]
    yard.enqueue_many(shop.nap_in_session, 80, seconds=0.1)
    yard.enqueue_many(shop.nap_sync, 20, seconds=0.1)
    yard.enqueue_many(shop.nap, 80, seconds=0.1)
    yard.enqueue_many(shop.fail_once, 20)
    for number in range(KILLS):
        goal = min(ended(yard) + 20, JOBS - 1)
        until(lambda goal=goal: ended(yard) >= goal, "some jobs to end", 60)  # type: ignore[misc]
        crew[number % 2].kill()
        crew[number % 2] = nursery.worker(**SETTINGS).until_started()
    until(lambda: ended(yard) == JOBS, "all jobs to end", 60)
    for worker in crew:
        worker.stop()


def ended(yard: Yard) -> int:
    """Return how many jobs have ended."""
    (row,) = yard.rows("SELECT count(*) AS number FROM soniq_jobs WHERE finished_at IS NOT NULL")
    return int(row.number)


@pytest.mark.timeout(300)
async def test_audits_of_a_busy_system_whose_workers_are_killed_find_no_violation(
    yard: Yard,
) -> None:
    with nursery_for(yard) as nursery:
        fire = asyncio.create_task(asyncio.to_thread(fight, yard, nursery))
        reports = []
        while not fire.done():
            reports.append(await audit(yard, PATIENCE))
        await fire
    assert [report.violations for report in reports if not report.ok] == []
    assert any(report.states.get("processing") for report in reports)
    assert any(report.attempts for report in reports)
    last = await audit(yard, 60.0)
    assert (last.violations, last.warnings) == ((), ())
    assert (last.jobs, last.workers) == (JOBS, 0)
    assert last.states.keys() <= {"done", "dead"}
