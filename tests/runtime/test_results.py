"""What a handler returns is stored with the end of its job, in the same statement."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import JobContext, JobHandle, Snooze, inject
from soniq_sa.events import JobsDone
from tests.runtime.bench import Bench
from tests.runtime.models import Effect

KINDS = ("async", "sync", "async with a session", "sync with a session")
KIND = pytest.mark.parametrize("kind", KINDS)
NOTHING = object()


class Colour(Enum):
    """A choice."""

    RED = "red"


@dataclass
class Point:
    """Two numbers."""

    x: int
    y: float


class Invoice(BaseModel):
    """A model."""

    number: int
    total: Decimal
    at: datetime


NOON = datetime(2026, 11, 20, 12, 30, 15, 123456, tzinfo=UTC)

VALUES: list[tuple[Any, Any]] = [
    (int, 7),
    (float, 1e20),
    (bool, False),
    (str, 'späť 🎈 "\\u0000"\n'),
    (str, ""),
    (bytes, b"\x00\xff"),
    (Decimal, Decimal("1.10")),
    (UUID, UUID(int=7)),
    (datetime, NOON),
    (date, NOON.date()),
    (timedelta, timedelta(hours=1)),
    (Colour, Colour.RED),
    (Point, Point(1, 2.5)),
    (Invoice, Invoice(number=1, total=Decimal("1.10"), at=NOON)),
    (list[Point], [Point(1, 2.0), Point(3, 4.0)]),
    (dict[str, UUID], {"a": UUID(int=1)}),
    (tuple[int, str], (1, "a")),
    (set[int], {1, 2}),
    (int | None, 7),
    (Snooze | int, 7),
    (list[int], []),
]


def returning(bench: Bench, kind: str, annotation: Any, value: Any, **options: Any) -> Any:
    """Register a task that leaves an effect and returns ``value``."""
    match kind:
        case "async":

            async def give() -> Any:
                return value
        case "sync":

            def give() -> Any:
                return value
        case "async with a session":

            async def give(session: AsyncSession = inject()) -> Any:
                session.add(Effect(note="done"))
                return value
        case _:

            def give(session: Session = inject()) -> Any:
                session.add(Effect(note="done"))
                return value

    if annotation is NOTHING:
        del give.__annotations__["return"]
    else:
        give.__annotations__["return"] = annotation
    return bench.task(**{"name": "give", "retry_delay": 0, **options})(give)


async def stored(bench: Bench, handle: JobHandle[Any]) -> str | None:
    """Return the result of a job as JSON text; None if there is none."""
    ((text,),) = await bench.rows(
        "SELECT CAST(result AS text) FROM soniq_jobs WHERE id = :id", id=handle.id
    )
    return text


@KIND
async def test_values_of_every_kind_come_back_with_their_types(bench: Bench, kind: str) -> None:
    tasks = [
        returning(bench, kind, annotation, value, name=f"give-{number}")
        for number, (annotation, value) in enumerate(VALUES)
    ]
    async with bench.sessions.begin() as session:
        handles = [session.enqueue(task) for task in tasks]
    async with bench.worker():
        for handle in handles:
            await bench.until_state(handle, "done")
    for task, handle, (_, value) in zip(tasks, handles, VALUES, strict=True):
        found = task.codec.result.decode(await stored(bench, handle))
        assert (found, type(found)) == (value, type(value))
    assert len(await bench.effects()) == ("session" in kind) * len(VALUES)


@KIND
@pytest.mark.parametrize(
    "annotation", [None, int | None, Any, NOTHING], ids=["none", "optional", "any", "nothing"]
)
async def test_none_is_stored_as_null(bench: Bench, kind: str, annotation: Any) -> None:
    handle = await bench.soniq.enqueue(returning(bench, kind, annotation, None))
    async with bench.worker():
        row = await bench.until_state(handle, "done")
    assert (row.attempts, row.error) == (1, None)
    assert await bench.rows("SELECT 1 FROM soniq_jobs WHERE result IS NOT NULL") == []


@KIND
@pytest.mark.parametrize("annotation", [Any, NOTHING], ids=["Any", "none"])
async def test_without_an_annotation_json_is_kept_and_the_rest_dropped(
    bench: Bench, kind: str, annotation: Any
) -> None:
    values: list[Any] = [{"a": [1, None]}, object(), "a\0b", "x" * 5_000_000, float("nan")]
    tasks = [
        returning(bench, kind, annotation, value, name=f"give-{number}")
        for number, value in enumerate(values)
    ]
    handles = [await bench.soniq.enqueue(task) for task in tasks]
    async with bench.worker():
        for handle in handles:
            await bench.until_state(handle, "done")
    assert [await stored(bench, one) for one in handles] == ['{"a": [1, null]}', *[None] * 4]


WRONG: dict[str, tuple[Any, Any]] = {
    "text for a number": (int, "7"),
    "a value for None": (None, 7),
    "a naive time": (datetime, NOON.replace(tzinfo=None)),
    "a wrong item": (list[int], [1, "2"]),
    "U+0000": (str, "a\0b"),
    "surrogate": (str, "\ud800"),
    "NaN": (float, float("nan")),
    "5 MB": (str, "x" * 5_000_000),
}


@KIND
@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_result_is_the_end_of_the_job_and_rolls_back(
    bench: Bench, kind: str, name: str
) -> None:
    @bench.task()
    async def neighbour() -> int:
        return 1

    handle = await bench.soniq.enqueue(returning(bench, kind, *WRONG[name]))
    other = await bench.soniq.enqueue(neighbour)
    async with bench.worker(concurrency=1):
        row = await bench.until_state(handle, "dead")
        await bench.until_state(other, "done")
    assert (row.reason, row.attempts, row.result) == ("invalid result", 1, None)
    assert "give()" in row.error
    assert len(row.error) < 5_000
    (attempt,) = await bench.attempts(handle)
    assert (attempt.outcome, attempt.error) == ("invalid result", row.error)
    assert await bench.effects() == []


class Unfriendly:
    """A value that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


@KIND
async def test_a_result_that_cannot_be_shown_is_refused_like_any_other(
    bench: Bench, kind: str
) -> None:
    handle = await bench.soniq.enqueue(returning(bench, kind, int, Unfriendly()))
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert row.reason == "invalid result"
    assert "Unfriendly" in row.error


@KIND
async def test_a_large_result_is_stored_whole(bench: Bench, kind: str) -> None:
    text = "é" * 500_000
    task = returning(bench, kind, str, text)
    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        await bench.until_state(handle, "done")
    assert task.codec.result.decode(await stored(bench, handle)) == text


async def test_an_attempt_that_failed_leaves_no_result(bench: Bench) -> None:
    @bench.task(retry_delay=0)
    async def second_time(ctx: JobContext = inject()) -> int:
        if ctx.attempt == 1:
            raise ValueError("the first time")
        return ctx.attempt

    handle = await bench.soniq.enqueue(second_time)
    async with bench.worker():
        row = await bench.until_state(handle, "done")
    assert (row.result, row.error) == (2, None)


async def test_one_batch_holds_results_none_and_failures(bench: Bench) -> None:
    count = 60
    together = asyncio.Barrier(count)

    @bench.task(retries=0)
    async def give(number: int) -> int | None:
        await together.wait()
        if number % 3 == 2:
            raise ValueError("no")
        return number if number % 3 else None

    async with bench.sessions.begin() as session:
        handles = session.enqueue_many(give, [{"number": number} for number in range(count)])
    async with bench.worker(concurrency=count):
        for number, handle in enumerate(handles):
            await bench.until_state(handle, "dead" if number % 3 == 2 else "done")
    rows = [await bench.row(handle) for handle in handles]
    assert [row.result for row in rows] == [n if n % 3 == 1 else None for n in range(count)]
    assert sum(len(event.job_ids) for event in bench.events_of(JobsDone)) == 40


REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.result = '"refused"' THEN
        RAISE EXCEPTION 'the books are closed' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
TRIGGER = "CREATE TRIGGER refuse BEFORE UPDATE ON soniq_jobs FOR EACH ROW EXECUTE FUNCTION refuse()"


@pytest.mark.parametrize("kind", ["async", "async with a session"])
async def test_a_result_that_the_database_refuses_is_a_failure_and_its_neighbours_are_recorded(
    bench: Bench, kind: str
) -> None:
    await bench.rows(REFUSE)
    await bench.rows(TRIGGER)
    together = asyncio.Barrier(5)

    async def give(text: str | None) -> str | None:
        await together.wait()
        return text

    async def give_in_session(text: str | None, session: AsyncSession = inject()) -> str | None:
        session.add(Effect(note=text))
        await together.wait()
        return text

    task = bench.task(name="give", retries=0)(give if kind == "async" else give_in_session)
    texts = ["a", "refused", None, "b", "c"]
    async with bench.sessions.begin() as session:
        handles = session.enqueue_many(task, [{"text": text} for text in texts])
    async with bench.worker():
        for text, handle in zip(texts, handles, strict=True):
            await bench.until_state(handle, "dead" if text == "refused" else "done")
    rows = [await bench.row(handle) for handle in handles]
    assert [row.result for row in rows] == ["a", None, None, "b", "c"]
    assert [row.attempts for row in rows] == [1] * 5
    assert rows[1].reason == "retries exhausted"
    assert "the books are closed" in rows[1].error
    if "session" in kind:
        assert sorted(map(str, await bench.effects())) == ["None", "a", "b", "c"]


@pytest.mark.parametrize("kind", ["async", "async with a session", "sync with a session"])
async def test_a_worker_that_lost_the_job_stores_no_result(bench: Bench, kind: str) -> None:
    began, leave = threading.Event(), threading.Event()

    async def give() -> int:
        began.set()
        await bench.until(leave.is_set, "the test to go on")
        return 7

    async def give_in_session(session: AsyncSession = inject()) -> int:
        session.add(Effect(note="held"))
        return await give()

    def give_sync(session: Session = inject()) -> int:
        session.add(Effect(note="held"))
        began.set()
        leave.wait(20)
        return 7

    @bench.task()
    async def next_one() -> None:
        pass

    handlers: list[Any] = [give, give_in_session, give_sync]
    kinds = ["async", "async with a session", "sync with a session"]
    task = bench.task(name="give")(handlers[kinds.index(kind)])
    handle = await bench.soniq.enqueue(task)
    async with bench.worker(concurrency=1):
        await bench.until(began.is_set, "the handler to begin")
        await bench.take_away()
        before = await bench.row(handle)
        leave.set()
        await bench.until_state(await bench.soniq.enqueue(next_one), "done")
        assert await bench.row(handle) == before
    assert before.result is None
    assert await bench.effects() == []
