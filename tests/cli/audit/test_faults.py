"""For every rule of the audit: what breaks it is found, and named."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from soniq_sa.statements.audit import CHECKS
from tests.cli.audit.ledger import Ledger, broken
from tests.docs.terminal import matches


@dataclass(frozen=True)
class Fault:
    """What somebody has done by hand, and what the audit says of it."""

    check: str
    statements: str
    wrong: str
    number: int = 1
    patience: float = 30


JOBS = {
    "good": "id = (SELECT min(id::text)::uuid FROM soniq_jobs WHERE task = 'good' AND state = 'done')",
    "dead": "task = 'failing' AND replay_of IS NULL",
    "running": "task = 'running'",
}
"""How the statements name one job of each kind."""

FAULTS = [
    Fault(
        "ends",
        "ALTER TABLE soniq_jobs DROP CONSTRAINT ck_soniq_jobs_state_1;"
        "UPDATE soniq_jobs SET state = 'lost' WHERE {running}",
        "has a state that does not exist",
    ),
    Fault(
        "ends",
        "UPDATE soniq_jobs SET finished_at = NULL WHERE {good}",
        "has ended, and has no finished_at",
    ),
    Fault(
        "ends",
        "UPDATE soniq_jobs SET finished_at = now() WHERE {running}",
        "has not ended, and has a finished_at: no worker can write its end",
    ),
    Fault(
        "ends",
        "UPDATE soniq_jobs SET keep_until = now() WHERE {running}",
        "has not ended, and has a keep_until",
    ),
    Fault(
        "claims",
        "UPDATE soniq_jobs SET worker_id = NULL WHERE {running}",
        "is processing, and no worker has it",
    ),
    Fault(
        "claims",
        "UPDATE soniq_jobs SET worker_id = gen_random_uuid() WHERE task = 'elsewhere'",
        "waits, and belongs to a worker",
    ),
    Fault(
        "claims",
        "UPDATE soniq_jobs SET worker_id = NULL WHERE {good}",
        "is done, and no worker has run it",
    ),
    Fault(
        "claims",
        "UPDATE soniq_jobs SET claims = 0 WHERE {dead}",
        "is dead, and no worker has taken it",
    ),
    Fault(
        "stuck",
        "UPDATE soniq_workers SET expires_at = now() - interval '31 seconds'",
        "is with worker host:1, whose lease ended … s ago",
    ),
    Fault(
        "orphans",
        "DELETE FROM soniq_workers",
        "is with worker 00000000-0000-4000-8000-000000000001, which is not in the worker table",
        patience=0.1,
    ),
    Fault(
        "overlaps",
        "UPDATE soniq_attempts SET finished_at = now() + interval '1 hour' WHERE claim = 1 "
        "AND job_id = (SELECT id FROM soniq_jobs WHERE {dead})",
        "was claimed for the 2. time at …, and claim 1 ended at …",
    ),
    Fault(
        "overlaps",
        "UPDATE soniq_jobs SET claims = 2, crashes = 1, claimed_at = now() - interval '1 minute' "
        "WHERE {running};"
        "INSERT INTO soniq_attempts (job_id, claim, started_at, outcome) "
        "SELECT id, 1, now() - interval '1 hour', 'crashed' FROM soniq_jobs WHERE {running}",
        "… and claim 1 ended at …",
    ),
    Fault(
        "counts",
        "UPDATE soniq_jobs SET crashes = -1 WHERE {running}",
        "has 0 of 4 attempts, -1 crashes and 1 claims",
    ),
    Fault(
        "counts",
        "UPDATE soniq_jobs SET attempts = 1 WHERE {running}",
        "has 1 of 4 attempts, 0 crashes and 1 claims",
    ),
    Fault(
        "counts",
        "UPDATE soniq_jobs SET attempts = 3, claims = 9 WHERE {dead}",
        "has 3 of 2 attempts, 0 crashes and 9 claims",
    ),
    Fault(
        "counts",
        "UPDATE soniq_jobs SET attempts = 4, claims = 9 WHERE {running}",
        "has 4 of 4 attempts, 0 crashes and 9 claims",
    ),
    Fault(
        "counts",
        "UPDATE soniq_jobs SET crashes = 4, claims = 9 WHERE {dead}",
        "has 2 of 2 attempts, 4 crashes and 9 claims",
    ),
    Fault(
        "counts",
        "UPDATE soniq_jobs SET crashes = 3, claims = 9 WHERE {running}",
        "has 0 of 4 attempts, 3 crashes and 9 claims",
    ),
    Fault(
        "counts",
        "UPDATE soniq_jobs SET attempts = 0 WHERE {good}",
        "has 0 of 4 attempts, 0 crashes and 1 claims",
    ),
    Fault(
        "attempts",
        "UPDATE soniq_attempts SET claim = 9 WHERE claim = 2 "
        "AND job_id = (SELECT id FROM soniq_jobs WHERE {dead})",
        "has an attempt of claim 9 and 2 claims",
    ),
    Fault(
        "attempts",
        "INSERT INTO soniq_attempts (job_id, claim, outcome) "
        "SELECT id, claims, 'failed' FROM soniq_jobs WHERE {running}",
        "has an attempt that failed of claim 1, which did not fail",
    ),
    Fault(
        "attempts",
        "UPDATE soniq_attempts SET outcome = 'vanished' WHERE claim = 2 "
        "AND job_id = (SELECT id FROM soniq_jobs WHERE {dead})",
        "has an attempt that ended as 'vanished'",
    ),
    Fault(
        "attempts",
        "UPDATE soniq_attempts SET finished_at = started_at - interval '2 seconds' WHERE claim = 2 "
        "AND job_id = (SELECT id FROM soniq_jobs WHERE {dead})",
        "has an attempt that ended before it started, of claim 2",
    ),
    Fault(
        "outcomes",
        "DELETE FROM soniq_attempts WHERE claim = 1 "
        "AND job_id = (SELECT id FROM soniq_jobs WHERE {dead})",
        "counts 2 attempts, and 1 that failed are kept",
    ),
    Fault(
        "outcomes",
        "UPDATE soniq_jobs SET claims = 3, crashes = 1 WHERE {dead}",
        "counts 1 crashes, and 0 are kept",
    ),
    Fault(
        "records",
        "UPDATE soniq_jobs SET reason = 'bored' WHERE {dead}",
        "is dead, for the reason 'bored'",
    ),
    Fault(
        "records",
        "UPDATE soniq_jobs SET error = NULL WHERE {dead}",
        "is dead, and no error is kept",
    ),
    Fault(
        "records",
        "UPDATE soniq_jobs SET error = 'ValueError' WHERE {good}",
        "is done, and has a reason or an error",
    ),
    Fault(
        "records",
        "UPDATE soniq_jobs SET result = '1' WHERE {running}",
        "is not done, and has a result",
    ),
    Fault(
        "times",
        "UPDATE soniq_jobs SET finished_at = claimed_at - interval '1 second' WHERE {good}",
        "ended at …, before its claim at …",
    ),
    Fault(
        "times",
        "UPDATE soniq_jobs SET expires_at = claimed_at - interval '1 second' WHERE {good}",
        "began at …, and had expired at …",
    ),
    Fault(
        "cancels",
        "UPDATE soniq_jobs SET cancel_requested_at = now() WHERE task = 'elsewhere'",
        "was to be cancelled while it ran, and waits to run again",
    ),
    Fault(
        "replays",
        "UPDATE soniq_jobs SET replays = 0 WHERE {dead}",
        "counts 0 replays, and 1 are there",
    ),
    Fault(
        "replays",
        "UPDATE soniq_jobs SET state = 'queued', finished_at = NULL WHERE {dead}",
        "was replayed, and is not dead",
    ),
    Fault(
        "early",
        "UPDATE soniq_jobs SET run_at = now() + interval '1 hour' WHERE {running}",
        "was claimed at …, and is due at …",
    ),
    Fault(
        "due",
        "UPDATE soniq_jobs SET run_at = now() - interval '31 seconds' WHERE queue = 'later'",
        "has been due for … s, and is not queued",
    ),
    Fault(
        "waiting",
        "UPDATE soniq_jobs SET run_at = now() - interval '31 seconds' WHERE task = 'elsewhere'",
        "has been due for … s, and no worker has it",
    ),
    Fault(
        "kept",
        "UPDATE soniq_jobs SET keep_until = now() - interval '2 hours' WHERE {good}",
        "was to be deleted … s ago, and is still there",
    ),
    Fault(
        "leftovers",
        "DELETE FROM soniq_jobs WHERE {dead}",
        "is not there, and has rows in soniq_attempts",
    ),
    Fault(
        "leftovers",
        "INSERT INTO soniq_progress (job_id, claim, done) VALUES (gen_random_uuid(), 1, 1)",
        "is not there, and has rows in soniq_progress",
    ),
]


async def test_a_history_that_workers_have_made_shows_nothing_wrong(ledger: Ledger) -> None:
    report = await ledger.audit()
    assert broken(report) == {}
    assert report.ok
    assert report.states == {
        "done": 3, "dead": 3, "cancelled": 2, "scheduled": 1, "queued": 1, "processing": 1
    }  # fmt: skip
    assert (report.jobs, report.workers) == (11, 1)
    assert [one.check for one in report.results] == [check.name for check in CHECKS]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.check}: {fault.wrong}")
async def test_a_fault_is_found_and_named(ledger: Ledger, fault: Fault) -> None:
    ledger.execute(fault.statements.format_map(JOBS))
    found = broken(await ledger.audit(patience=fault.patience))
    assert fault.check in found, found.keys()
    result = found[fault.check]
    assert result.total == fault.number == len(result.findings), result
    assert matches(fault.wrong, result.findings[0].wrong)
    (check,) = [one for one in CHECKS if one.name == fault.check]
    assert result.level == check.level


def test_every_check_has_a_fault() -> None:
    assert {fault.check for fault in FAULTS} == {check.name for check in CHECKS}
