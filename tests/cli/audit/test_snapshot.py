"""What happens while the audit looks: it tells what is wrong from what is under way."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import make_url

from soniq_sa import AuditReport, OptionError, RowsHiddenError
from soniq_sa.audit import audit_tables
from soniq_sa.engines import make_async_engine
from soniq_sa.statements.audit.check import Scope
from tests.cli.audit.ledger import Ledger, broken

LEAVE = "DELETE FROM soniq_workers"
RESCUE = "UPDATE soniq_jobs SET state = 'queued', worker_id = NULL WHERE task = 'running'"
SECOND = """
INSERT INTO soniq_workers (id, name, expires_at)
VALUES ('00000000-0000-4000-8000-000000000002', 'host:2', now() + interval '1 hour');
INSERT INTO soniq_jobs (id, task, state, claims, worker_id, claimed_at)
VALUES ('00000000-0000-4000-8000-00000000000b', 'later', 'processing', 1,
        '00000000-0000-4000-8000-000000000002', now());
"""


async def audit(ledger: Ledger, patience: float, on_step: Callable[[str], None]) -> AuditReport:
    """Return what an audit finds while ``on_step`` does something to the tables."""
    engine = make_async_engine(ledger.url)
    scope = Scope(patience=patience)
    try:
        return await audit_tables(engine, ledger.soniq.models, scope, limit=10, on_step=on_step)
    finally:
        await engine.dispose()


async def test_jobs_that_are_put_back_while_the_audit_waits_are_no_violation(
    ledger: Ledger,
) -> None:
    """Their worker has left a moment ago, and the others look every few seconds."""
    ledger.execute(LEAVE)
    steps: list[str] = []

    def rescue(step: str) -> None:
        steps.append(step)
        if step.startswith("missing workers again"):
            ledger.execute(RESCUE)

    report = await audit(ledger, 0.5, rescue)
    assert "missing workers again, in 0.5 s" in steps
    assert "orphans" not in broken(report)


async def test_only_workers_that_were_missing_before_the_wait_count(ledger: Ledger) -> None:
    ledger.execute("DELETE FROM soniq_workers")
    ledger.execute(SECOND)

    def leave(step: str) -> None:
        if step.startswith("missing workers again"):
            ledger.execute(LEAVE)

    found = broken(await audit(ledger, 0.5, leave))["orphans"]
    assert [finding.task for finding in found.findings] == ["running"]


async def test_a_healthy_system_is_not_waited_for(ledger: Ledger) -> None:
    steps: list[str] = []
    await audit(ledger, 3600, steps.append)
    assert not any(step.startswith("missing workers again") for step in steps)


async def test_all_checks_see_the_same_moment(ledger: Ledger) -> None:
    """A job ends between two checks: seen half, it would have an end and be running."""

    def end(step: str) -> None:
        if step == "claims":
            ledger.execute(
                "UPDATE soniq_jobs SET state = 'done', attempts = 1, finished_at = now(), "
                "worker_id = NULL WHERE task = 'running'"
            )

    assert broken(await audit(ledger, 60, end)) == {}
    assert broken(await ledger.audit()).keys() == {"claims"}


@pytest.fixture
def clerk(ledger: Ledger) -> Iterator[str]:
    """Return a role with every privilege and no policy, under which audits run."""
    name, database = f"clerk_{secrets.token_hex(4)}", make_url(ledger.url).database
    ledger.execute(
        f"CREATE ROLE {name}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {name};"
        f'ALTER TABLE soniq_jobs ENABLE ROW LEVEL SECURITY; ALTER DATABASE "{database}" SET role = {name}'
    )
    yield name
    ledger.execute(
        f'ALTER DATABASE "{database}" RESET role; DROP OWNED BY {name}; DROP ROLE {name}'
    )


async def test_it_is_refused_where_row_level_security_hides_jobs(
    ledger: Ledger, clerk: str
) -> None:
    with pytest.raises(RowsHiddenError, match="hides rows of soniq_jobs from this role"):
        await ledger.audit()
    ledger.execute(f"CREATE POLICY every ON soniq_jobs TO {clerk} USING (true)")
    assert broken(await ledger.audit()) == {}


@pytest.mark.parametrize(
    "option",
    [
        {"limit": -1},
        {"patience": -1},
        {"since": "yesterday"},
        {"since": datetime(9999, 1, 1, tzinfo=UTC)},
    ],
)
async def test_a_wrong_option_is_refused(ledger: Ledger, option: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        await ledger.audit(**option)
