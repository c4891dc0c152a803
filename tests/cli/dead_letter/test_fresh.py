"""``soniq-sa dead-letter replay`` with another queue, priority, number of retries, or later."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.cli.dead_letter.morgue import FAILED, USAGE, Morgue

LATER = "extract(epoch FROM run_at - created_at)"


def test_a_replay_by_id_takes_options_for_the_fresh_job(morgue: Morgue) -> None:
    (one,) = morgue.add(queue="'billing'", priority="7", max_attempts="4")
    options = ["--to-queue", "slow", "--priority", "900", "--retries", "0", "--delay", "15m"]
    new = morgue.said("replay", one, *options).split()[-1]
    changed = f"queue = 'slow' AND priority = 900 AND max_attempts = 1 AND {LATER} = 900"
    assert morgue.count(f"id = '{new}' AND state = 'scheduled' AND {changed}") == 1
    new = morgue.said("replay", one, "--retries", "2").split()[-1]
    kept = "state = 'queued' AND queue = 'billing' AND priority = 7 AND max_attempts = 3"
    assert morgue.count(f"id = '{new}' AND run_at = created_at AND {kept}") == 1


def test_a_replay_of_many_tells_the_filter_from_the_option(morgue: Morgue) -> None:
    morgue.add(3, queue="'billing'")
    morgue.add(queue="'mail'")
    given = ["--queue", "billing", "--to-queue", "slow", "--delay", "1.5"]
    dry = morgue.document("replay", *given, "--dry-run")
    assert dry["would_be_replayed"] == 3
    assert morgue.document("replay", *given, "--yes") == {"replayed": 3}
    assert morgue.count(f"queue = 'slow' AND state = 'scheduled' AND {LATER} = 1.5") == 3
    assert morgue.count("replays = 1 AND queue = 'billing'") == 3
    assert morgue.document("replay", "--all", "--to-queue", "defaults", "--yes") == {"replayed": 1}
    assert morgue.count("queue = 'defaults' AND state = 'queued'") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--to-queue", "a b"], "'a b' cannot name a queue"),
        (["--to-queue", ""], "'' cannot name a queue"),
        (["--to-queue", "x" * 65], "cannot name a queue"),
        (["--priority", "0"], "1 to 1000"),
        (["--priority", "high"], "--priority"),
        (["--retries", "-1"], "0 to 1000000"),
        (["--retries", "1.5"], "--retries"),
        (["--delay", "soon"], "--delay 'soon' is no duration"),
        (["--delay", ""], "--delay '' is no duration"),
        (["--delay", "2150-01-01T00:00:00Z"], "is no duration"),
        (["--delay", "-5"], "0 seconds to ten years"),
        (["--delay", "nan"], "0 seconds to ten years"),
        (["--delay", "1e99d"], "0 seconds to ten years"),
    ],
)
def test_an_option_that_cannot_be_exits_with_2_before_the_database_is_asked(
    morgue: Morgue, options: list[str], said: str
) -> None:
    nowhere = ["--database-url", "postgresql://nobody@127.0.0.1:1/none"]
    for which in ([str(uuid.uuid4())], ["--all", "--yes"], ["--all", "--dry-run"]):
        code, error = morgue.refused("replay", *which, *options, *nowhere)
        assert code == USAGE
        assert said in error


def test_a_queue_beside_ids_is_told_how_it_is_written(morgue: Morgue) -> None:
    (one,) = morgue.add()
    code, error = morgue.refused("replay", one, "--queue", "slow")
    assert (code, "--to-queue" in error) == (USAGE, True)
    assert morgue.count() == 1


def test_an_application_knows_its_queues(empty: Morgue) -> None:
    empty.create()
    program = (empty.folder / "shop.py").read_text("utf-8")
    program = program.replace("Soniq(Base.metadata)", 'Soniq(Base.metadata, queues=["mail"])')
    (empty.folder / "shop.py").write_text(program)
    (one,) = empty.add()
    app = ["--app", "shop:soniq"]
    for place in (app, [*app, "--database-url", empty.url]):
        code, error = empty.refused("replay", one, "--to-queue", "mails", *place)
        assert (code, "Did you mean 'mail'" in error) == (USAGE, True)
        empty.said("replay", one, "--to-queue", "mail", *place)
    assert empty.count("queue = 'mail'") == 2
    empty.said("replay", one, "--to-queue", "mails")
    assert empty.count("queue = 'mails'") == 1


def test_what_a_constraint_refuses_is_told_after_the_others_are_done(morgue: Morgue) -> None:
    morgue.execute('CREATE UNIQUE INDEX only_one ON soniq_jobs ("tenant id")')
    (bad,) = morgue.add(**{"tenant id": "'acme'"})
    ids = morgue.add(2)
    done = morgue.run("replay", ids[0], bad, ids[1])
    assert done.returncode == FAILED
    assert [line.split()[0] for line in done.stdout.splitlines()] == ids
    assert (
        f'{bad} cannot be replayed: duplicate key value violates unique constraint "only_one"'
        in (done.stderr)
    )
    unknown = str(uuid.uuid4())
    done = morgue.run("replay", bad, ids[0], unknown, "--json")
    assert done.returncode == FAILED
    document = json.loads(done.stdout)
    assert (document["replayed"], document["missing"]) == (1, [unknown])
    assert document["refused"] == [bad]
    assert set(document["jobs"]) == {ids[0]}
    assert f"There is no dead letter {bad}" not in done.stderr
    many = morgue.run("replay", "--all", "--yes")
    assert (many.returncode, many.stdout) == (FAILED, "")
    assert "Dead letters replayed: 0 (they stay so); refused by only_one: 1." in many.stderr
    many = morgue.run("replay", "--again", "--yes", "--json")
    assert many.returncode == FAILED
    assert json.loads(many.stdout) == {"replayed": 2, "refused": [bad]}
    assert "only_one" in many.stderr
