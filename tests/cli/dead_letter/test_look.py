"""``soniq-sa dead-letter list``, ``show``, ``stats``, ``export``, and which database they look at."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.cli.dead_letter.morgue import FAILED, SCHEMA, UNREACHABLE, USAGE, Morgue
from tests.cli.schema.terminal import on_terminal


def test_a_list_has_a_line_for_each_letter_the_newest_first(morgue: Morgue) -> None:
    ids = morgue.add(3, queue="'billing'", replays="2")
    head, *lines = morgue.said("list").splitlines()
    assert head.split() == ["ID", "TASK", "QUEUE", "DEAD", "SINCE", "REASON", "REPLAYS", "ERROR"]
    assert [line.split()[0] for line in lines] == ids[::-1]
    assert lines[-1] == (
        f"{ids[0]}  send  billing  2020-01-01 00:00:01+00:00  timed out  2        ValueError: no"
    )
    assert [one["id"] for one in morgue.document("list", "--limit", "2")] == ids[:0:-1]


def test_an_empty_list_says_so(morgue: Morgue) -> None:
    assert morgue.said("list") == "There are no such dead letters.\n"
    assert morgue.document("list") == []


def test_each_option_is_a_filter(morgue: Morgue) -> None:
    morgue.add(replays="1", tags="'[\"b\"]'", finished_at="now()")
    (wanted,) = morgue.add(
        task="'other'",
        queue="'q'",
        reason="'gave up'",
        error="'50% OFF'",
        tags='\'["a", "b"]\'',
        finished_at="now() - interval '3 days'",
    )
    for options in (
        ["--task", "other"],
        ["--queue", "q"],
        ["--reason", "gave up"],
        ["--error", "0% off"],
        ["--before", "2d"],
        ["--before", "172800", "--since", "1w"],
        ["--before", "2d", "--since", "2020-01-01T00:00:00Z"],
        ["--tag", "a", "--tag", "b"],
        ["--not-replayed"],
    ):
        assert [one["id"] for one in morgue.document("list", *options)] == [wanted], options
    assert len(morgue.document("list", "--replayed")) == 1
    assert len(morgue.document("list", "--since", "90m")) == 1
    assert morgue.document("stats", "--task", "other")["total"] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--reason", "bad luck"], "The reasons are: retries exhausted"),
        (["--since", "yesterday"], "--since 'yesterday' is no time"),
        (["--before", "2020-01-01T00:00:00"], "has no time zone"),
        (["--since", "-5"], "0 seconds to 100 years"),
        (["--since", "nan"], "0 seconds to 100 years"),
        (["--app", "shop:soniq", "--prefix", "x"], "leave out --app"),
        (["--database-url", "mysql://x"], "not for PostgreSQL"),
    ],
)
def test_an_option_that_cannot_be_exits_with_2(
    morgue: Morgue, options: list[str], said: str
) -> None:
    code, error = morgue.refused("list", *options)
    assert code == USAGE
    assert said in error


def test_show_says_all_of_one_letter(morgue: Morgue) -> None:
    (one,) = morgue.add(
        args='\'{"order": 5, "note": "a\\nb"}\'',
        tags="'[\"a\"]'",
        headers='\'{"x": "y"}\'',
        **{"tenant id": "'acme'"},
    )
    shown = morgue.said("show", one)
    for line in (
        f"id:         {one}",
        "attempts:   0 of 4",
        'args:       {"note": "a\\nb", "order": 5}',
        "tags:       a",
        'headers:    {"x": "y"}',
        'tenant id:  "acme"',
        "error:\n  Traceback\n    ValueError: no\n",
    ):
        assert line in shown
    assert morgue.document("show", one)["columns"]["tenant id"] == "acme"


def test_nothing_in_a_job_can_command_the_terminal(morgue: Morgue) -> None:
    bell = "E'\\x1b[2J\\x07\\nlast \\u009b31m\\r\\u202eline'"
    (one,) = morgue.add(task=bell, queue=bell, error=bell, args='\'{"a": "\\u001b[0m"}\'')
    for command in (["list"], ["show", one], ["stats"], ["replay", "--all", "--dry-run"]):
        shown = morgue.said(*command)
        assert all(character.isprintable() or character == "\n" for character in shown)
        assert "\\x1b[2J" in shown
    assert morgue.document("show", one)["error"].startswith("\x1b[2J\x07\n")


def test_an_id_that_is_none_or_unknown_is_told(morgue: Morgue) -> None:
    for command in ("show", "replay", "delete", "tag"):
        code, error = morgue.refused(command, "abc", *(["--yes"] if command == "delete" else []))
        assert code == USAGE
        assert "'abc' is no id of a job" in error
    unknown = str(uuid.uuid4())
    code, error = morgue.refused("show", unknown)
    assert code == FAILED
    assert f"There is no dead letter {unknown}" in error


def test_stats_count_by_reason_task_and_queue(morgue: Morgue) -> None:
    morgue.add(2)
    morgue.add(task="'other'", reason="NULL", replays="3")
    shown = morgue.said("stats")
    assert shown.startswith(
        "3 dead letters, 1 of them replayed, dead since 2020-01-01 00:00:01+00:00"
    )
    assert "by reason:\n       2  timed out\n       1  none\n" in shown
    assert "by task:\n       2  send\n       1  other\n" in shown
    assert morgue.document("stats")["by_queue"] == {"default": 3}
    assert morgue.said("stats", "--task", "no") == "0 dead letters, 0 of them replayed.\n"


def test_an_export_is_csv_or_json_to_a_file_or_the_output(morgue: Morgue, tmp_path: Path) -> None:
    ids = morgue.add(230, **{"tenant id": "'t'"})
    found = json.loads(morgue.said("export"))
    assert [one["id"] for one in found] == ids[::-1]
    rows = list(
        csv.DictReader(io.StringIO(morgue.said("export", "--format", "csv", "--limit", "3")))
    )
    assert [(row["id"], row["tenant id"]) for row in rows] == [(one, "t") for one in ids[:-4:-1]]
    output = tmp_path / "dead.csv"
    assert morgue.said("export", "--format", "csv", "--output", str(output)) == ""
    assert len(list(csv.reader(io.StringIO(output.read_text())))) == 231
    assert [one.name for one in tmp_path.iterdir()] == ["dead.csv"]


def test_an_export_that_fails_leaves_the_file_as_it_was(morgue: Morgue, tmp_path: Path) -> None:
    output = tmp_path / "dead.json"
    output.write_text("before")
    morgue.execute("DROP TABLE soniq_jobs")
    assert morgue.refused("export", "--output", str(output))[0] == SCHEMA
    assert output.read_text() == "before"
    code, error = morgue.refused("list", "--json")
    assert (code, "soniq_jobs" in error) == (SCHEMA, True)
    assert morgue.refused("export", "--output", str(tmp_path / "no" / "x"))[0] == SCHEMA


def test_a_file_that_cannot_be_written_is_told(morgue: Morgue, tmp_path: Path) -> None:
    code, error = morgue.refused("export", "--output", str(tmp_path / "no" / "dead.json"))
    assert code == USAGE
    assert "cannot be written" in error


def test_a_reader_that_goes_away_is_no_error(morgue: Morgue) -> None:
    morgue.add(300, error="repeat('x', 5000)")
    command = [sys.executable, "-m", "soniq_sa", "dead-letter", "export"]
    process = subprocess.Popen(
        [*command, "--database-url", morgue.url],
        cwd=morgue.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) != 0


def test_a_missing_column_is_named(morgue: Morgue) -> None:
    morgue.execute("ALTER TABLE soniq_jobs DROP COLUMN replays")
    code, error = morgue.refused("list")
    assert (code, "has no replays" in error) == (SCHEMA, True)


def test_a_database_that_does_not_answer_exits_with_5(morgue: Morgue) -> None:
    for url in ("postgresql://nobody@127.0.0.1:1/none",):
        code, error = morgue.refused("list", "--database-url", url)
        assert code == UNREACHABLE
        assert "127.0.0.1:1" in error


def test_without_a_database_it_says_what_to_set(morgue: Morgue) -> None:
    code, error = morgue.refused("list", SONIQ_SA_DATABASE_URL="")
    assert code == USAGE
    assert "SONIQ_SA_DATABASE_URL" in error


@pytest.mark.parametrize(("schema", "prefix"), [("work", "soniq_"), (None, "bg_"), ("work", "bg_")])
def test_other_tables_are_found_by_their_names_or_by_the_app(
    empty: Morgue, schema: str | None, prefix: str
) -> None:
    empty.create(schema, prefix)
    (one,) = empty.add(**{"tenant id": "'acme'"})
    assert empty.refused("list")[0] == SCHEMA
    named = [*(["--schema", schema] if schema else []), "--prefix", prefix]
    app = ["--app", "shop:soniq"]
    for number, options in enumerate((named, app, [*app, "--database-url", empty.url]), 1):
        assert empty.document("show", one, *options)["columns"]["tenant id"] == "acme"
        empty.said("replay", one, *options)
        assert empty.count("replay_of IS NOT NULL AND \"tenant id\" = 'acme'") == number
    assert "acme" in empty.said("show", one, SONIQ_SA_APP="shop:soniq")


def test_code_of_the_user_is_not_imported_unless_asked_for(morgue: Morgue) -> None:
    (morgue.folder / "shop.py").write_text("raise SystemExit('imported')")
    for name in ("app", "main", "jobs"):
        (morgue.folder / f"{name}.py").write_text("raise SystemExit('imported')")
    morgue.add()
    assert "send" in morgue.said("list")
    options = ["--database-url", morgue.url]
    assert "send" in morgue.said("list", *options, SONIQ_SA_APP="shop:soniq")


def test_on_a_terminal_lines_are_as_wide_as_it_is(morgue: Morgue) -> None:
    morgue.add(error="repeat('wide ', 100)")
    code, seen = on_terminal(
        morgue.folder, "", "dead-letter", "list", COLUMNS="140", SONIQ_SA_DATABASE_URL=morgue.url
    )
    assert code == 0
    assert [len(line) <= 140 for line in seen.splitlines()] == [True, True]
    assert "\x1b" not in seen
