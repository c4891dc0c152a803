"""``soniq-sa audit``: what it writes, its options, and its exit codes."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.cli.audit.ledger import Ledger
from tests.cli.commands import soniq_sa_here
from tests.cli.schema.terminal import on_terminal

OK, USAGE, FOUND, SCHEMA, UNREACHABLE = 0, 2, 3, 4, 5


def run(ledger: Ledger, *arguments: str, url: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command on the database of the test."""
    settings = {"SONIQ_SA_DATABASE_URL": url or ledger.url}
    return soniq_sa_here(ledger.folder, "audit", *arguments, **settings)


def document(ledger: Ledger, *arguments: str) -> Any:
    """Return what the command writes for programs."""
    return json.loads(run(ledger, "--json", *arguments).stdout)


def test_a_healthy_database_gives_a_line_for_each_check_and_exits_with_0(ledger: Ledger) -> None:
    done = run(ledger)
    assert (done.returncode, done.stderr) == (OK, "")
    head, _, *lines, _, last = done.stdout.splitlines()
    assert head.startswith(
        "11 jobs (1 scheduled, 1 queued, 1 processing, 3 done, 2 cancelled, 3 dead), "
    )
    assert "1 living worker, at 20" in head
    assert {line.split()[0] for line in lines} == {"ok"}
    assert last == f"No violation: {len(lines)} checks are ok."


def test_a_violation_exits_with_3_and_says_which_jobs_why_and_what_to_do(ledger: Ledger) -> None:
    ledger.execute("UPDATE soniq_jobs SET finished_at = NULL WHERE task = 'good'")
    done = run(ledger, "--limit", "2")
    assert done.returncode == FOUND
    lines = done.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("violation  ends"))
    assert lines[at].endswith("Not so for 4 jobs:")
    assert lines[at + 1].endswith("  good in billing: has ended, and has no finished_at")
    assert lines[at + 3].split() == ["…", "and", "2", "more"]
    assert lines[at + 4].split()[0] == "why:"
    assert lines[at + 5].split()[:2] == ["to", "do:"]
    assert lines[-1].startswith("1 violation, 0 warnings, ")


def test_a_warning_alone_exits_with_0(ledger: Ledger) -> None:
    ledger.execute("UPDATE soniq_jobs SET run_at = '2020-01-01' WHERE state = 'queued'")
    done = run(ledger)
    assert done.returncode == OK
    assert "\nwarning    waiting " in done.stdout
    assert done.stdout.splitlines()[-1].endswith("checks are ok, 1 warning.")


def test_json_has_the_counts_and_every_check_with_its_findings(ledger: Ledger) -> None:
    ledger.execute("UPDATE soniq_jobs SET finished_at = NULL WHERE task = 'good'")
    written = document(ledger, "--limit", "1")
    assert (written["ok"], written["jobs"], written["states"]["done"]) == (False, 11, 3)
    (ends,) = [check for check in written["checks"] if check["check"] == "ends"]
    assert (ends["level"], ends["total"], len(ends["findings"])) == ("violation", 4, 1)
    assert ends["findings"][0]["wrong"] == "has ended, and has no finished_at"
    assert all(check["total"] == 0 for check in written["checks"] if check is not ends)


def test_queue_and_since_leave_the_other_jobs_out(ledger: Ledger) -> None:
    ledger.execute(
        "UPDATE soniq_jobs SET finished_at = NULL, created_at = '2020-01-01' WHERE task = 'good'"
    )
    assert document(ledger, "--queue", "default")["ok"]
    assert document(ledger, "--queue", "billing")["jobs"] == 4
    assert not document(ledger, "--queue", "billing")["ok"]
    assert document(ledger, "--since", "7d")["ok"]
    assert not document(ledger, "--since", "2019-01-01T00:00:00Z")["ok"]


def test_patience_is_how_long_a_dead_worker_may_have_been_dead(ledger: Ledger) -> None:
    ledger.execute("UPDATE soniq_workers SET expires_at = now() - interval '20 minutes'")
    assert not document(ledger)["ok"]
    assert document(ledger, "--patience", "30m")["ok"]


def test_what_a_job_says_cannot_move_the_cursor(ledger: Ledger) -> None:
    ledger.execute(
        r"UPDATE soniq_jobs SET reason = E'\x1b[31m\nok', task = E'a\rb' WHERE state = 'dead'"
    )
    written = run(ledger).stdout
    assert r"'\x1b[31m\nok'" in written
    assert "\x1b" not in written
    assert r"a\rb in default" in written


def test_on_a_terminal_it_says_what_it_looks_at_and_colours_the_levels(ledger: Ledger) -> None:
    ledger.execute("UPDATE soniq_jobs SET finished_at = NULL WHERE task = 'good'")
    code, seen = on_terminal(ledger.folder, "", "audit", SONIQ_SA_DATABASE_URL=ledger.url)
    assert code == FOUND
    assert "\r\x1b[Klooking at ends …\r\x1b[Klooking at claims …" in seen
    assert "…\r\x1b[K11 jobs (" in seen
    assert "\x1b[31mviolation" in seen
    assert "\x1b[32mok" in seen


@pytest.mark.parametrize("wrong", ["-5", "nan", "inf", "1e300", "9999-01-01T00:00:00Z"])
@pytest.mark.parametrize("option", ["--since", "--patience"])
def test_times_that_cannot_be_exit_with_2(ledger: Ledger, option: str, wrong: str) -> None:
    done = run(ledger, f"{option}={wrong}")
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert wrong.removesuffix("-01-01T00:00:00Z").removesuffix("300") in done.stderr


def test_a_part_without_jobs_is_said_to_prove_nothing(ledger: Ledger) -> None:
    assert "proves nothing: see to --queue" in run(ledger, "--queue", "biling").stdout
    assert "proves nothing" not in run(ledger, "--queue", "billing").stdout


def test_without_a_database_it_says_which_option_names_one(ledger: Ledger) -> None:
    assert "--database-url" in soniq_sa_here(ledger.folder, "audit").stderr
    away = run(ledger, url="postgresql://someone@127.0.0.1:9/none")
    assert (away.returncode, "--database-url" in away.stderr) == (UNREACHABLE, True)


def test_wrong_options_exit_with_2(ledger: Ledger) -> None:
    assert run(ledger, "--since", "yesterday").returncode == USAGE
    assert run(ledger, "--patience", "soon").returncode == USAGE


def test_missing_tables_exit_with_4_and_no_database_with_5(ledger: Ledger) -> None:
    done = run(ledger, "--prefix", "other_")
    assert done.returncode == SCHEMA
    assert "no table other_jobs" in done.stderr
    done = run(ledger, url="postgresql://nobody@127.0.0.1:9/none")
    assert done.returncode == UNREACHABLE


def test_the_audit_changes_nothing_and_reads_one_snapshot(ledger: Ledger) -> None:
    """A role that may only read, whose statements are cut after a moment."""
    ledger.execute(
        'ALTER DATABASE "' + ledger.url.split("?")[0].rsplit("/", 1)[1] + '" '
        "SET default_transaction_read_only = on"
    )
    assert run(ledger).returncode == OK
