"""What commands print of jobs cannot move the cursor, colour anything, or pretend to be another line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.dead_letter.morgue import Morgue
from tests.security.hostile import STORABLE, assert_tame
from tests.security.leaks import MASK, SECRET

HOSTILE = [text[:2_000] for text in STORABLE.values()]


@pytest.fixture
def morgue(tmp_path: Path, database_url: str) -> Iterator[Morgue]:
    """Return a database with tables, and a folder without a program."""
    made = Morgue(tmp_path, database_url)
    made.create()
    (made.folder / "shop.py").unlink()
    yield made
    made.engine.dispose()


def test_each_command_prints_hostile_rows_tamely(morgue: Morgue) -> None:
    for hostile in HOSTILE:
        text = f"convert_from(decode('{hostile.encode().hex()}', 'hex'), 'UTF8')"
        pair = f"jsonb_build_object({text}, {text})"
        columns = dict.fromkeys(("task", "queue", "reason", "error", "tenant id"), text)
        tags = f"jsonb_build_array({text})"
        (job_id,) = morgue.add(**columns, args=pair, headers=pair, tags=tags)
        shown = morgue.said("show", job_id)
        assert_tame(shown)
        assert len([one for one in shown.split("\n") if one.startswith(("task:", "queue:"))]) == 2
        for command in (["delete", job_id], ["tag", job_id, "seen"], ["delete", "--task", hostile]):
            done = morgue.run(*command)
            assert_tame(done.stdout)
            assert_tame(done.stderr)
        done = morgue.run("replay", job_id, "--to-queue", hostile)
        assert_tame(done.stderr)
    for command in (["list"], ["stats"], ["replay", "--all", "--dry-run"]):
        assert_tame(morgue.said(*command))
    assert len(morgue.said("list").split("\n")) == len(HOSTILE) + 2
    assert {one["task"] for one in morgue.document("list")} == set(HOSTILE)


SECRETS = {
    "args": f"""'{{"user": "Ann", "login": [{{"newPassword": "{SECRET}"}}], "pin": "4711-{SECRET}"}}'""",
    "headers": f"""'{{"Authorization": "Bearer {SECRET}", "trace": "t1"}}'""",
    "error": f"""'ValueError: Bearer {SECRET} and {SECRET} at postgresql://shop:{SECRET}@db/shop'""",
}


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["list", "--json"],
        ["show"],
        ["show", "--json"],
        ["export"],
        ["export", "--format", "csv"],
    ],
    ids=" ".join,
)
def test_each_output_hides_secrets_until_they_are_asked_for(
    morgue: Morgue, command: list[str]
) -> None:
    (job_id,) = morgue.add(**SECRETS)
    if command[0] == "show":
        command = ["show", job_id, *command[1:]]
    hidden = morgue.said(*command, "--redact", "pin")
    assert SECRET not in hidden
    assert MASK in hidden
    assert SECRET in morgue.said(*command, "--show-secrets")
    assert SECRET in str(morgue.value("SELECT args FROM soniq_jobs")), "stored as it was"


def test_what_is_asked_before_something_is_done_shows_no_secret(morgue: Morgue) -> None:
    (job_id,) = morgue.add(**SECRETS)
    for command in (["delete", job_id], ["delete", "--task", "send"], ["replay", "--all"]):
        done = morgue.run(*command)
        assert "Nothing is done" in done.stderr
        assert SECRET not in done.stderr + done.stdout


def test_what_the_types_of_an_app_say_is_known_with_the_app(
    tmp_path: Path, database_url: str
) -> None:
    morgue = Morgue(tmp_path, database_url)
    morgue.create()
    program = tmp_path / "shop.py"
    program.write_text(
        program.read_text().replace(
            "soniq = Soniq(Base.metadata)", "soniq = Soniq(Base.metadata, redact=['iban'])"
        )
        + "\nfrom pydantic import SecretStr\n"
        "\n@soniq.job(name='send')\ndef send(pin: SecretStr, iban: str) -> None: ...\n"
    )
    morgue.add(args=f"""'{{"pin": "{SECRET}", "iban": "{SECRET}"}}'""")
    assert SECRET in morgue.said("list", "--json")
    for place in (["--app", "shop:soniq"], ["--app", "shop:soniq", "--database-url", database_url]):
        assert SECRET not in morgue.said("list", "--json", *place)
    morgue.engine.dispose()
