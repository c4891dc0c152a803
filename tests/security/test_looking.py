"""What the audit and the doctor may look at under each role."""

from __future__ import annotations

from pathlib import Path

import pytest

from soniq_sa.cli.grants.roles import GrantRole
from tests.cli.commands import soniq_sa_here
from tests.security.gate import Gate
from tests.security.shop import SCHEMA

TABLES = ("--schema", SCHEMA, "--prefix", "shop_")
OK, FAILED, FOUND = 0, 1, 3


@pytest.mark.parametrize("role", [GrantRole.WORKER, GrantRole.MAINTAINER], ids=str)
def test_workers_and_maintainers_may_audit(gate: Gate, role: GrantRole, tmp_path: Path) -> None:
    url = gate.url_of(role).render_as_string(hide_password=False)
    done = soniq_sa_here(tmp_path, "audit", *TABLES, SONIQ_SA_DATABASE_URL=url)
    assert done.returncode in {OK, FOUND}
    assert "checks are ok" in done.stdout


def test_who_may_not_see_errors_and_results_is_told_by_the_audit(
    gate: Gate, tmp_path: Path
) -> None:
    url = gate.url_of(GrantRole.VIEWER).render_as_string(hide_password=False)
    done = soniq_sa_here(tmp_path, "audit", *TABLES, SONIQ_SA_DATABASE_URL=url)
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert "permission denied for table shop_jobs" in done.stderr
    assert "soniq-sa grants" in done.stderr


@pytest.mark.parametrize(
    ("role", "level"), [(GrantRole.WORKER, "ok"), (GrantRole.VIEWER, "warning")], ids=str
)
def test_the_doctor_knows_that_the_role_of_a_worker_is_enough_for_one(
    gate: Gate, role: GrantRole, level: str, tmp_path: Path
) -> None:
    url = gate.url_of(role).render_as_string(hide_password=False)
    done = soniq_sa_here(tmp_path, "doctor", *TABLES, SONIQ_SA_DATABASE_URL=url)
    lines = [line for line in done.stdout.splitlines() if line[9:].startswith("privileges")]
    assert {line.split()[0] for line in lines} == {level}
