"""Each role does what its row of the table says, and is refused everything else, by PostgreSQL itself."""

from __future__ import annotations

import pytest
from psycopg.errors import InsufficientPrivilege

from soniq_sa.cli.grants.actions import ACTIONS
from soniq_sa.cli.grants.roles import GrantRole
from tests.security import actor
from tests.security.actor import JOBS, Actor
from tests.security.gate import Gate


def test_every_action_of_the_matrix_is_tried() -> None:
    assert list(actor.ACTIONS) == list(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", list(GrantRole), ids=str)
def test_a_role_may_do_what_the_matrix_says(gate: Gate, role: GrantRole, action: str) -> None:
    async def attempt() -> bool:
        return await Actor(gate, role).may(action)

    assert gate.do(attempt) is (role in ACTIONS[action])


def test_a_producer_sees_and_changes_only_what_it_inserts_in_the_same_transaction(
    gate: Gate,
) -> None:
    url = gate.url_of(GrantRole.PRODUCER).render_as_string(hide_password=False)
    gate.execute(f"DELETE FROM {JOBS}")
    theirs = Actor(gate, GrantRole.PRODUCER).seed()
    insert = (
        f"INSERT INTO {JOBS} (id, task) VALUES (gen_random_uuid(), 'greet') RETURNING id".encode()
    )
    with gate.connect(url) as connection, connection.transaction():
        (own,) = connection.execute(insert).fetchone() or ()
        seen = connection.execute(f"SELECT id FROM {JOBS}".encode()).fetchall()
        changed = connection.execute(f"UPDATE {JOBS} SET args = '[1]' RETURNING id".encode())
        assert (seen, changed.fetchall()) == ([(own,)], [(own,)])
    assert gate.rows(f"SELECT id, args FROM {JOBS} ORDER BY created_at") == [
        (theirs, {"name": "Ann"}),
        (own, [1]),
    ]


@pytest.mark.parametrize(
    ("role", "columns", "values"),
    [
        (GrantRole.MAINTAINER, "id, task", "gen_random_uuid(), 'greet'"),
        (GrantRole.PRODUCER, "id, task, state", "gen_random_uuid(), 'greet', 'dead'"),
        (GrantRole.PRODUCER, "id, task, created_at", "gen_random_uuid(), 'greet', now()"),
        (
            GrantRole.PRODUCER,
            "id, task, replay_of",
            "gen_random_uuid(), 'greet', gen_random_uuid()",
        ),
    ],
)
def test_rows_that_are_no_business_of_a_role_are_not_let_in(
    gate: Gate, role: GrantRole, columns: str, values: str
) -> None:
    url = gate.url_of(role).render_as_string(hide_password=False)
    insert = f"INSERT INTO {JOBS} ({columns}) VALUES ({values})"
    with gate.connect(url) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(insert.encode())


def test_the_viewer_sees_the_columns_that_it_is_given(gate: Gate) -> None:
    url = gate.url_of(GrantRole.VIEWER).render_as_string(hide_password=False)
    script = gate.script("--role", "viewer", "--viewer-column", "tenant_id")
    select = f"SELECT tenant_id FROM {JOBS}".encode()
    with gate.connect(url) as connection:
        with pytest.raises(InsufficientPrivilege):
            connection.execute(select)
        gate.execute(script)
        connection.execute(select)
        gate.execute(gate.script("--role", "viewer"))
        with pytest.raises(InsufficientPrivilege):
            connection.execute(select)


def test_the_roles_cannot_log_in_themselves(gate: Gate) -> None:
    found = gate.rows(
        "SELECT rolcanlogin, rolsuper, rolcreaterole, rolbypassrls FROM pg_roles WHERE rolname LIKE %s",
        f"{gate.start}\\_%",
    )
    assert found == [(False, False, False, False)] * len(GrantRole)
