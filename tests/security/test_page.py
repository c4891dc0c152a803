"""The page says what the code does: its roles, its words, its statements."""

from __future__ import annotations

import json
import re
import secrets

from docs.src.write import ROOT, source_text
from soniq_sa.cli.grants.actions import ACTIONS
from soniq_sa.cli.grants.roles import GrantRole
from soniq_sa.localserver import LocalServer
from soniq_sa.redaction import WORDS
from tests.cli.commands import soniq_sa
from tests.security.gate import APP, Gate

PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")


def test_the_table_of_the_roles_is_the_matrix() -> None:
    (head,) = re.findall(r"^\| action \| (.+) \|$", PAGE, re.MULTILINE)
    assert head.split(" | ") == list(GrantRole)
    rows = re.findall(r"^\| ([^|]+) \| ((?:(?:yes|no)(?: \| )?){5}) \|$", PAGE, re.MULTILINE)
    assert {name: cells.split(" | ") for name, cells in rows} == {
        action: ["yes" if role in allowed else "no" for role in GrantRole]
        for action, allowed in ACTIONS.items()
    }


def test_each_role_has_a_word() -> None:
    for role in GrantRole:
        assert f"- **{role}**: " in PAGE


def test_the_words_of_secret_fields_are_those_of_the_code() -> None:
    (line,) = re.findall(
        r"^\| secret if the name holds \|\n\| --- \|\n\| (.+) \|$", PAGE, re.MULTILINE
    )
    assert re.findall(r"`(\w+)`", line) == list(WORDS)


def test_the_document_has_the_matrix_and_the_privileges() -> None:
    done = soniq_sa(
        ROOT, "grants", "--app", APP, "--json", "--role", "viewer", "--role", "producer"
    )
    document = json.loads(done.stdout)
    assert document["actions"] == {
        action: {"viewer": "viewer" in allowed, "producer": "producer" in allowed}
        for action, allowed in ACTIONS.items()
    }
    assert list(document["roles"]) == ["viewer", "producer"]
    viewer = document["roles"]["viewer"]
    assert viewer["name"] == "soniq_viewer"
    jobs = next(one for one in viewer["privileges"] if one["table"].endswith("shop_jobs"))
    assert (jobs["privilege"], set(jobs["columns"]) & {"args", "headers", "tenant_id"}) == (
        "SELECT",
        set(),
    )
    assert all("owner" not in one for one in document["statements"])


def test_what_the_command_cannot_do_is_refused() -> None:
    for options, said in (
        (["--app", APP, "--schema", "x"], "leave out --app"),
        (["--app", APP, "--viewer-column", "tenant"], "Did you mean 'tenant_id'?"),
        (["--role-prefix", "pg_x"], "keeps names"),
    ):
        done = soniq_sa(ROOT, "grants", *options)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr


def test_the_logins_of_the_page_get_their_roles(server: LocalServer) -> None:
    gate = Gate(server)
    statements = source_text(ROOT / "docs" / "src" / "security" / "logins.sql", None)
    run = f"page{secrets.token_hex(4)}"
    names = re.findall(r" TO (\w+);", statements)
    assert len(names) == len(GrantRole)
    created = [f"CREATE ROLE {run}__{name} LOGIN" for name in names]
    created += [f"CREATE ROLE {run}_{role}" for role in GrantRole]
    granted = re.sub(r" TO (\w+);", rf" TO {run}__\1;", statements.replace("shop_jobs", run))
    with gate.connect(server.url) as connection, connection.transaction(force_rollback=True):
        for statement in [*created, granted]:
            connection.execute(statement.encode())
        found = connection.execute(
            "SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member "
            "WHERE r.rolname LIKE %s",
            [f"{run}%"],
        )
        assert found.fetchone() == (6,)
