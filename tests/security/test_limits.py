"""Everything that a job holds has a limit, which the page names, and beyond it an error that says so."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import MetaData
from sqlalchemy.orm import Session

from docs.src.write import ROOT
from soniq_sa import (
    InvalidArgumentsError,
    JobContext,
    OptionError,
    Soniq,
    enqueue,
    enqueue_many,
    inject,
)
from soniq_sa.control import LONGEST_REASON
from soniq_sa.json_text import MAX_BYTES, MAX_DEPTH
from soniq_sa.models import include_tables
from soniq_sa.progress import LONGEST_NOTE
from soniq_sa.runtime.failure import MAX_ERROR_CHARACTERS
from soniq_sa.session.enqueueing import MOST_CHARACTERS, MOST_JOBS
from tests.runtime.bench import Bench

PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NUMBERS = {
    "arguments of a job": MAX_BYTES,
    "their nesting": MAX_DEPTH,
    "jobs in one `enqueue_many`": MOST_JOBS,
    "their arguments together": MOST_CHARACTERS,
    "result of a job": MAX_BYTES,
    "recorded error": MAX_ERROR_CHARACTERS,
    "reason that a handler gives": MAX_ERROR_CHARACTERS,
    "reason of a cancellation": LONGEST_REASON,
    "note of a progress": LONGEST_NOTE,
    "headers": 8192,
    "tags": 20,
    "a tag": 64,
    "name of a queue": 64,
    "name of a task": 255,
    "`prefix` of the tables": 40,
    "`schema` of the tables": 63,
}


def test_the_page_names_each_limit_with_its_number() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([\d,]+) [a-z]+", PAGE, re.MULTILINE)
    assert {name: int(number.replace(",", "")) for name, number in rows} == NUMBERS


@pytest.fixture
def task() -> Any:
    """Return a task without a database."""
    metadata = MetaData()
    include_tables(metadata)

    def note(value: Any = None) -> None:
        del value

    return Soniq(metadata).job(name="note")(note)


def deep(levels: int) -> Any:
    """Return nested lists."""
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


LARGE: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "arguments": (
        lambda task: enqueue(Session(), task, "x" * MAX_BYTES),
        InvalidArgumentsError,
        "1,048,5",
    ),
    "nesting": (
        lambda task: enqueue(Session(), task, deep(64)),
        InvalidArgumentsError,
        "64 levels",
    ),
    "jobs": (
        lambda task: enqueue_many(Session(), task, itertools.repeat({})),
        InvalidArgumentsError,
        "100,000 jobs. Call it several times",
    ),
    "their arguments": (
        lambda task: enqueue_many(Session(), task, itertools.repeat({"value": "x" * 1_000_000})),
        InvalidArgumentsError,
        "up to row 67, more than 67,108,864",
    ),
    "headers": (lambda task: task.options(headers={"x": "y" * 8192}), OptionError, "8192"),
    "tags": (lambda task: task.options(tags=["x"] * 21), OptionError, "20"),
    "a tag": (lambda task: task.options(tags=["x" * 65]), OptionError, "64"),
    "a queue": (lambda task: task.options(queue="x" * 65), OptionError, "64"),
    "a task": (lambda task: task.tasks and _named("x" * 256), OptionError, "255"),
}


def _named(name: str) -> Any:
    metadata = MetaData()
    include_tables(metadata)
    return Soniq(metadata).job(name=name)


@pytest.mark.parametrize(("make", "error", "said"), LARGE.values(), ids=LARGE)
def test_too_much_is_refused_where_it_is_given(
    task: Any, make: Callable[[Any], Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=re.escape(said)):
        make(task)


def test_what_is_just_within_the_limits_is_taken(task: Any) -> None:
    with Session() as session:
        enqueue(session, task, "x" * (MAX_BYTES - 12))
        enqueue(session, task, deep(63))
        assert len(enqueue_many(session, task, [{}] * MOST_JOBS)) == MOST_JOBS
    task.options(headers={"x": "y" * 8191}, tags=["x" * 64] * 20, queue="note-" + "x" * 59)


async def test_what_a_handler_says_too_much_of_is_cut_or_refused(bench: Bench) -> None:
    @bench.task(retries=0)
    async def say(ctx: JobContext = inject()) -> None:
        ctx.progress(1, note="n" * 100_000)
        raise ValueError("e" * 1_000_000)

    @bench.task(retries=0)
    async def give() -> str:
        return "r" * MAX_BYTES

    said, given = await bench.soniq.enqueue(say), await bench.soniq.enqueue(give)
    await bench.run_once()
    row = await bench.row(said)
    assert len(row.error) <= MAX_ERROR_CHARACTERS + 60
    assert "characters left out" in row.error
    (note,) = await bench.rows("SELECT note FROM soniq_progress")
    assert len(note.note) <= LONGEST_NOTE + 60
    assert (await bench.row(given)).reason == "invalid result"
    waiting = await bench.soniq.enqueue(say)
    for reason in ("x" * (LONGEST_REASON + 1), "a\0b"):
        with pytest.raises(OptionError, match=r"reason of cancel\(\)"):
            await bench.soniq.cancel(waiting, reason=reason)
    assert await bench.soniq.cancel(waiting, reason="x" * LONGEST_REASON) == "cancelled"
