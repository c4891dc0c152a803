"""``soniq-sa dead-letter replay``, ``delete``, ``purge`` and ``tag``."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import psycopg
import pytest

from soniq_sa.localserver.databases import libpq_url
from tests.cli.dead_letter.morgue import FAILED, OK, USAGE, Morgue
from tests.cli.schema.terminal import on_terminal


def test_a_replay_by_id_copies_the_columns_that_only_the_database_knows(morgue: Morgue) -> None:
    (one,) = morgue.add(
        task="'send'",
        queue="'billing'",
        priority="7",
        args="'{\"a\": [1, null]}'",
        tags="'[\"a\"]'",
        expires_at="now()",
        **{"tenant id": "'acme'"},
    )
    said = morgue.said("replay", one)
    new = said.split()[-1]
    assert said == f"{one} replayed as {new}\n"
    condition = (
        f"id = '{new}' AND replay_of = '{one}' AND state = 'queued' AND queue = 'billing' "
        "AND priority = 7 AND args = '{\"a\": [1, null]}' AND \"tenant id\" = 'acme' "
        "AND tags = '[\"a\"]' AND expires_at IS NULL AND error IS NULL AND doubled = 14"
    )
    assert morgue.count(condition) == 1
    assert morgue.document("replay", one) == {
        "replayed": 1,
        "missing": [],
        "jobs": {one: str(morgue.value("SELECT id FROM soniq_jobs ORDER BY serial DESC"))},
    }
    assert morgue.count("replays = 2") == 1


def test_a_replay_wakes_the_workers(morgue: Morgue) -> None:
    (one,) = morgue.add(queue="'billing'")
    with psycopg.connect(libpq_url(morgue.url), autocommit=True) as connection:
        connection.execute('LISTEN "soniq_sa:soniq_jobs"')
        morgue.said("replay", one)
        morgue.said("replay", "--again", "--yes")
        heard = connection.notifies(timeout=30, stop_after=2)
        assert [one.payload for one in heard] == ["billing", "billing"]


@pytest.mark.parametrize("command", ["replay", "delete"])
def test_an_id_that_is_not_there_fails_after_the_others_are_done(
    morgue: Morgue, command: str
) -> None:
    ids, unknown = morgue.add(2), str(uuid.uuid4())
    before = morgue.run(command, ids[0], unknown, ids[1], "--dry-run")
    assert before.returncode == FAILED
    assert unknown in before.stderr
    assert morgue.count() == 2
    done = morgue.run(command, ids[0], unknown, ids[1], ids[0], "--yes", "--json")
    assert done.returncode == FAILED
    assert f"There is no dead letter {unknown}" in done.stderr
    document = json.loads(done.stdout)
    assert document["missing"] == [unknown]
    assert document["replayed" if command == "replay" else "deleted"] == 2
    assert morgue.count() == (4 if command == "replay" else 0)


def changes(morgue: Morgue) -> dict[str, tuple[list[str], Callable[[], int]]]:
    return {
        "replay": (["--task", "send"], lambda: morgue.count("replays = 1")),
        "delete": (["--task", "send"], lambda: 30 - morgue.count()),
        "purge": (["--older-than", "30d"], lambda: 30 - morgue.count()),
    }


@pytest.mark.parametrize("command", ["replay", "delete", "purge"])
def test_without_a_yes_nothing_is_touched_and_with_it_no_more_than_the_limit(
    morgue: Morgue, command: str
) -> None:
    ids = morgue.add(30)
    options, touched = changes(morgue)[command]
    done = morgue.run(command, *options, "--limit", "25")
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert "Nothing is done: there is no terminal to ask on. Add --yes." in done.stderr
    assert "… and 5 more." in done.stderr
    dry = morgue.said(command, *options, "--limit", "25", "--dry-run")
    verb = "replayed" if command == "replay" else "deleted"
    assert dry.endswith(f"25 dead letters would be {verb}. Nothing is changed.\n")
    assert [line.split()[0] for line in dry.splitlines()[1:21]] == ids[:20]
    first = morgue.document(command, *options, "--limit", "3", "--dry-run")
    assert first == {"dry_run": True, f"would_be_{verb}": 3, "first": ids[:3]}
    assert touched() == 0
    assert morgue.document(command, *options, "--limit", "25", "--yes") == {verb: 25}
    assert touched() == 25
    assert morgue.said(command, *options, "--yes") == f"5 dead letters {verb}.\n"
    assert morgue.said(command, *options, "--yes") == f"0 dead letters {verb}.\n"
    assert touched() == 30


@pytest.mark.parametrize("answer", ["y", "n"])
@pytest.mark.parametrize("command", ["replay", "delete", "purge", "delete by id"])
def test_on_a_terminal_it_asks(morgue: Morgue, command: str, answer: str) -> None:
    (one,) = morgue.add()
    options = {
        "replay": ["replay", "--all"],
        "delete": ["delete", "--reason", "timed out"],
        "purge": ["purge", "--older-than", "0"],
        "delete by id": ["delete", one],
    }[command]
    code, seen = on_terminal(
        morgue.folder,
        f"{answer}\n",
        "dead-letter",
        *options,
        SONIQ_SA_DATABASE_URL=morgue.url,
    )
    assert one in seen
    assert f"{'Replay' if command == 'replay' else 'Delete'} 1 dead letter?" in seen
    left = {"replay": 2}.get(command, 0)
    assert (code, morgue.count()) == ((OK, left) if answer == "y" else (FAILED, 1))


def test_what_was_replayed_before_is_replayed_only_when_asked_for(morgue: Morgue) -> None:
    morgue.add(2)
    assert morgue.document("replay", "--all", "--yes") == {"replayed": 2}
    assert morgue.document("replay", "--all", "--yes") == {"replayed": 0}
    assert morgue.document("replay", "--again", "--limit", "1", "--yes") == {"replayed": 1}
    assert morgue.document("replay", "--again", "--task", "send", "--yes") == {"replayed": 2}
    assert morgue.document("replay", "--replayed", "--dry-run")["would_be_replayed"] == 2
    assert morgue.value("SELECT sum(replays) FROM soniq_jobs") == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay"], "Which dead letters?"),
        (["delete", "--yes"], "Which dead letters?"),
        (["delete", "--limit", "5", "--yes"], "Which dead letters?"),
        (["replay", str(uuid.UUID(int=1)), "--all"], "not both"),
        (["replay", str(uuid.UUID(int=1)), "--limit", "1"], "not both"),
        (["delete", str(uuid.UUID(int=1)), "--task", "x", "--yes"], "not both"),
        (["purge", "--older-than", "often"], "--older-than 'often' is no time"),
        (["purge"], "--older-than"),
        (["purge", "--older-than", "1d", "--limit", "0"], "--limit"),
        (["delete", "--task", "", "--yes"], "takes a text"),
    ],
)
def test_a_change_that_may_be_a_mistake_exits_with_2(
    morgue: Morgue, arguments: list[str], said: str
) -> None:
    morgue.add()
    code, error = morgue.refused(*arguments)
    assert code == USAGE
    assert said in error
    assert morgue.count() == 1


def test_what_the_database_refuses_is_told(morgue: Morgue) -> None:
    (one,) = morgue.add()
    morgue.execute(
        "CREATE TABLE reports (job_id uuid REFERENCES soniq_jobs)",
        "INSERT INTO reports SELECT id FROM soniq_jobs",
    )
    code, error = morgue.refused("delete", one, "--yes")
    assert (code, "reports" in error) == (FAILED, True)
    morgue.execute('CREATE UNIQUE INDEX only_one ON soniq_jobs ("tenant id", task)')
    morgue.execute("UPDATE soniq_jobs SET \"tenant id\" = 'acme'")
    code, error = morgue.refused("replay", one)
    assert (code, "only_one" in error) == (FAILED, True)
    assert morgue.count("replays IS NULL") == 1


def test_a_purge_takes_the_attempts_with_it(morgue: Morgue) -> None:
    morgue.add(2)
    morgue.execute(
        "INSERT INTO soniq_attempts (job_id, claim, outcome) SELECT id, 1, 'failed' FROM soniq_jobs"
    )
    assert morgue.document("purge", "--older-than", "1d", "--limit", "1", "--yes") == {"deleted": 1}
    assert morgue.value("SELECT count(*) FROM soniq_attempts") == 1


def test_tags_are_added_and_taken_away(morgue: Morgue) -> None:
    (one,) = morgue.add(tags="'[\"old\"]'")
    assert morgue.said("tag", one, "seen", "ticket-42") == f"{one}: old, seen, ticket-42\n"
    assert morgue.document("tag", one, "--remove", "old") == {
        "id": one,
        "tags": ["seen", "ticket-42"],
    }
    assert morgue.said("tag", one, "--remove", "seen", "--remove", "ticket-42").endswith(
        ": no tags\n"
    )
    assert morgue.refused("tag", str(uuid.uuid4()), "a")[0] == FAILED
    assert morgue.refused("tag", one, "x" * 65)[0] == USAGE


def test_the_help_names_every_command_and_option(morgue: Morgue) -> None:
    said = morgue.said("--help")
    for command in ("list", "show", "replay", "delete", "purge", "stats", "tag", "export"):
        assert f"\n  {command} " in said or f" {command} " in said
    said = morgue.said("replay", "--help")
    for option in ("--task", "--limit", "--dry-run", "--yes", "--json", "--database-url", "--app"):
        assert option in said
