"""``soniq-sa doctor``: what it writes, its exit codes, and what stands between it and the server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from soniq_sa.localserver import local_server
from tests.cli.commands import soniq_sa_here
from tests.cli.doctor.clinic import Clinic, levels
from tests.cli.schema.terminal import on_terminal
from tests.faults.pooler import pooler_before

OK, USAGE, FOUND, UNREACHABLE = 0, 2, 3, 5


@pytest.fixture(scope="module")
def durable_url() -> Iterator[str]:
    """Return a database on a server that writes to disk."""
    with local_server(durable=True) as server:
        yield server.create_database("clinic")


def test_where_there_is_nothing_to_do_it_says_so_and_exits_with_0(
    durable_url: str, tmp_path: Path
) -> None:
    clinic = Clinic(tmp_path, durable_url)
    done = clinic.run()
    clinic.close()
    assert (done.returncode, done.stderr) == (OK, "")
    *lines, _, last = done.stdout.splitlines()
    assert last == "Nothing to do; 2 notes."
    assert {line.split()[0] for line in lines} == {"ok", "note", "→"}
    assert all(line.index(line.split()[1]) == 9 for line in lines if not line.startswith(" "))


def test_a_finding_has_its_remedy_on_the_next_line_and_the_exit_code_is_3(clinic: Clinic) -> None:
    clinic.execute("DELETE FROM soniq_workers")
    clinic.add_job()
    done = clinic.run()
    assert done.returncode == FOUND
    lines = done.stdout.splitlines()
    at = lines.index("problem  workers       no worker is alive, and jobs are queued")
    assert lines[at + 1] == f"{'':23}→ Start one: soniq-sa worker --app module:attribute."
    assert lines[-1] == "3 problems, 1 warning, 2 notes."
    assert "\x1b" not in done.stdout


def test_on_a_terminal_the_levels_are_coloured(clinic: Clinic) -> None:
    code, written = on_terminal(clinic.folder, "", "doctor", SONIQ_SA_DATABASE_URL=clinic.url)
    assert code == FOUND
    assert "\x1b[32mok" in written
    assert "\x1b[31mproblem" in written


def test_on_a_narrow_terminal_the_lines_are_wrapped_below_their_text(clinic: Clinic) -> None:
    settings = {"SONIQ_SA_DATABASE_URL": clinic.url, "COLUMNS": "80"}
    _, written = on_terminal(clinic.folder, "", "doctor", **settings)
    plain = re.sub(r"\x1b\[\d+m", "", written)
    lines = [line for line in plain.splitlines() if " postgresql" not in line]
    assert max(map(len, lines)) <= 80
    assert any(line.startswith(" " * 25) and line[25] != " " for line in lines)


def test_names_in_the_tables_cannot_move_the_cursor(clinic: Clinic) -> None:
    clinic.execute(
        r"INSERT INTO soniq_jobs (id, task, queue, run_at) "
        r"VALUES (gen_random_uuid(), 'x', E'\x1b[31m\nok', '2020-01-01')"
    )
    written = clinic.run().stdout
    assert r"\x1b[31m\nok" in written
    assert "\x1b" not in written


def test_it_works_where_nothing_can_be_written(clinic: Clinic) -> None:
    """Then the one thing that is wrong is that workers could not write either."""
    healthy = levels(clinic.findings())
    clinic.execute('ALTER DATABASE "{database}" SET default_transaction_read_only = on')
    assert levels(clinic.findings()) == {**healthy, "connection": "problem"}


def test_a_database_that_does_not_answer_exits_with_5_and_hides_the_password(
    tmp_path: Path,
) -> None:
    url = "postgresql://someone:secret@127.0.0.1:9/none"
    done = soniq_sa_here(tmp_path, "doctor", SONIQ_SA_DATABASE_URL=url)
    assert (done.returncode, done.stdout) == (UNREACHABLE, "")
    assert "someone:***@127.0.0.1:9/none does not answer" in done.stderr
    assert "secret" not in done.stderr


def test_without_a_url_it_exits_with_2(tmp_path: Path) -> None:
    assert soniq_sa_here(tmp_path, "doctor").returncode == USAGE


def test_a_pooler_is_found_and_that_notifications_do_not_pass_it(clinic: Clinic) -> None:
    with pooler_before(clinic.url) as pooler:
        through = f"{pooler.url}&prepared_statement_cache_size=0"
        findings = clinic.findings(SONIQ_SA_DATABASE_URL=through)
        around = clinic.findings(SONIQ_SA_DATABASE_URL=through, SONIQ_SA_LISTEN_URL=clinic.url)
    bad = {one["check"]: one for one in findings if one["check"] in {"pooler", "listen"}}
    assert bad["pooler"]["level"] == bad["listen"]["level"] == "warning"
    assert "SONIQ_SA_LISTEN_URL" in bad["pooler"]["remedy"]
    good = {one["check"]: one["level"] for one in around}
    assert (good["pooler"], good["listen"]) == ("note", "ok")


@pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")
def test_a_clock_that_differs_from_the_databases_is_told(clinic: Clinic) -> None:
    command = ["faketime", "-f", "-5m", sys.executable, "-m", "soniq_sa", "doctor"]
    done = subprocess.run(
        command,
        cwd=clinic.folder,
        env={**os.environ, "SONIQ_SA_DATABASE_URL": clinic.url, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "warning  clock         the clock of this machine is 300." in done.stdout, done.stderr
    assert " s behind the database's" in done.stdout
