"""Dead letters as CSV and JSON, whatever they hold."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from soniq_sa import OptionError
from tests.dead_letters.office import LONG_AGO, Office

HOSTILE_ERRORS = [
    "",
    "\n\r\n\t,;\"'",
    "=cmd|' /C calc'!A0",
    "\x1b[31mred\x1b[0m \x07 \x7f",
    "\u2028 \u202e \N{PILE OF POO} ü",
    'a "quoted" text,\nwith lines\n',
    "x" * 5_000_000,
]
HOSTILE_ARGS: list[Any] = [
    None,
    [],
    "text",
    5,
    True,
    {"": {"$ref": [1, None, {"a": '\n"'}]}},
    {"n": 10**300, "f": 1.5e-300},
    {"id": "x", "columns": {}, "ü\u2028": "\ufffd"},
]


@contextmanager
def long_cells() -> Iterator[None]:
    before = csv.field_size_limit(10_000_000)
    yield
    csv.field_size_limit(before)


async def text_of(office: Office, form: Any, **filters: Any) -> str:
    return "".join([part async for part in office.letters.export(form, **filters)])


async def test_json_holds_all_that_a_letter_says(office: Office) -> None:
    dead_id = await office.one(
        tags=["a"], headers={"x": "y"}, replays=1, tenant_id=7, blob=b"\xff", words=["a"]
    )
    (letter,) = json.loads(await text_of(office, "json"))
    assert letter == {
        "id": str(dead_id),
        "task": "send",
        "queue": "default",
        "priority": 100,
        "max_attempts": 4,
        "reason": "retries exhausted",
        "error": "ValueError: no",
        "args": {"number": 0},
        "attempts": 4,
        "created_at": letter["created_at"],
        "finished_at": "2020-01-01T00:00:00+00:00",
        "tags": ["a"],
        "headers": {"x": "y"},
        "replays": 1,
        "replay_of": None,
        "columns": {
            "tenant_id": 7,
            "customer name": None,
            "trail": None,
            "blob": "/w==",
            "words": ["a"],
            "required": "by Python",
            "serial": 1,
            "queue_length": 7,
        },
    }


async def test_csv_has_a_line_of_names_and_a_cell_for_each_column(office: Office) -> None:
    dead_id = await office.one(tags=["a"], tenant_id=7, trail=[1])
    (row,) = csv.DictReader(io.StringIO(await text_of(office, "csv")))
    assert UUID(row["id"]) == dead_id
    assert (row["tags"], row["headers"], row["args"]) == ('["a"]', "{}", '{"number": 0}')
    assert (row["tenant_id"], row["customer name"], row["trail"]) == ("7", "", "[1]")


async def test_hostile_errors_come_back_as_they_were(office: Office) -> None:
    ids = [
        await office.one(error=error, finished_at=LONG_AGO - timedelta(seconds=n))
        for n, error in enumerate(HOSTILE_ERRORS)
    ]
    found = json.loads(await text_of(office, "json"))
    assert [(UUID(one["id"]), one["error"]) for one in found] == list(
        zip(ids, HOSTILE_ERRORS, strict=True)
    )
    with long_cells():
        text = io.StringIO(await text_of(office, "csv"), newline="")
        assert [row["error"] for row in csv.DictReader(text)] == HOSTILE_ERRORS


async def test_hostile_arguments_come_back_as_they_were(office: Office) -> None:
    for n, args in enumerate(HOSTILE_ARGS):
        await office.rows(
            "INSERT INTO soniq_jobs (id, task, state, finished_at, args) VALUES "
            "(gen_random_uuid(), 't', 'dead', :time, cast(:args AS jsonb))",
            time=LONG_AGO - timedelta(seconds=n),
            args=json.dumps(args),
        )
    found = json.loads(await text_of(office, "json", show_secrets=True))
    assert [one["args"] for one in found] == HOSTILE_ARGS
    as_csv = await text_of(office, "csv", show_secrets=True)
    rows = csv.DictReader(io.StringIO(as_csv, newline=""))
    assert [json.loads(row["args"]) for row in rows] == HOSTILE_ARGS
    assert await office.letters.replay_many() == len(HOSTILE_ARGS)
    same = await office.rows(
        "SELECT 1 FROM soniq_jobs AS dead JOIN soniq_jobs AS fresh "
        "ON fresh.replay_of = dead.id AND fresh.args = dead.args"
    )
    assert len(same) == len(HOSTILE_ARGS)


@pytest.mark.parametrize("args", ["[" * 5_000 + "]" * 5_000, '{"n": 1e5000}', '{"n": 1.5e400}'])
async def test_json_that_python_cannot_hold_is_shown_as_text(office: Office, args: str) -> None:
    dead_id = await office.one()
    await office.rows("UPDATE soniq_jobs SET args = cast(:args AS jsonb)", args=args)
    text = await text_of(office, "json")
    (found,) = json.loads(text, parse_constant=pytest.fail)
    assert found["id"] == str(dead_id)
    await office.letters.replay(dead_id)
    same = "SELECT 1 FROM soniq_jobs GROUP BY args HAVING count(*) = 2"
    assert len(await office.rows(same)) == 1


@pytest.mark.parametrize("stored", ['"text"', "5", "[]", "{}", "null", '[1, {"a": 2}]'])
async def test_tags_and_headers_that_others_have_stored_are_no_hindrance(
    office: Office, stored: str
) -> None:
    dead_id = await office.one()
    await office.rows(
        "UPDATE soniq_jobs SET tags = cast(:json AS jsonb), headers = cast(:json AS jsonb)",
        json=stored,
    )
    assert await office.letters.get(dead_id) is not None
    assert await office.letters.list(tags=["a"]) == []
    await office.letters.replay(dead_id)
    await office.letters.tag(dead_id, "a")


async def test_an_export_is_read_page_by_page_up_to_its_limit(office: Office) -> None:
    dead_ids = await office.add(350)
    for limit in (None, 1, 100, 101, 350, 1_000):
        found = json.loads(await text_of(office, "json", limit=limit))
        wanted = dead_ids[::-1][:limit]
        assert [UUID(one["id"]) for one in found] == wanted
    assert json.loads(await text_of(office, "json", task="nobody")) == []
    assert len((await text_of(office, "csv", task="nobody")).splitlines()) == 1


async def test_an_unknown_format_is_refused(office: Office) -> None:
    with pytest.raises(OptionError, match=r"'xml'.* csv, json"):
        await text_of(office, "xml")
