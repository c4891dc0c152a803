"""A worker looks at the arguments with the task's model before it calls the handler."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field, field_validator
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import JobDeadError, Soniq, inject
from tests.runtime.bench import Bench
from tests.runtime.models import Base, Effect, Order

KINDS = ("async", "sync", "async with a session", "sync with a session")


class SendArgs(BaseModel):
    """What is asked of the arguments."""

    email: str = Field(pattern="@")
    count: int = Field(default=1, gt=0)


def register(bench: Bench, kind: str, called: list[Any], **options: Any) -> Any:
    """Register a task with a model that notes what it is called with."""
    options = {"args_model": SendArgs, "retries": 5, "retry_delay": 0, **options}
    match kind:
        case "async":

            @bench.task(**options)
            async def send(email: str, count: int = 2) -> None:
                called.append((email, count))
        case "sync":

            @bench.task(**options)
            def send(email: str, count: int = 2) -> None:
                called.append((email, count))
        case "async with a session":

            @bench.task(**options)
            async def send(email: str, count: int = 2, session: AsyncSession = inject()) -> None:
                session.add(Effect(note=email))
                called.append((email, count))
        case _:

            @bench.task(**options)
            def send(email: str, count: int = 2, session: Session = inject()) -> None:
                session.add(Effect(note=email))
                called.append((email, count))

    return send


async def store_by_hand(bench: Bench, arguments: str) -> Any:
    """Store a job as another program would, which knows nothing of the model."""
    loose = Soniq(Base.metadata, engine=bench.engine, unknown_tasks="none")
    handle = await loose.enqueue(loose.ref("send", retries=5), email="a@b")
    async with bench.engine.begin() as connection:
        await connection.execute(
            text("UPDATE soniq_jobs SET args = CAST(:args AS jsonb) WHERE id = :id"),
            {"args": arguments, "id": handle.id},
        )
    return handle


@pytest.mark.parametrize("kind", KINDS)
async def test_arguments_that_satisfy_the_model_reach_the_handler(bench: Bench, kind: str) -> None:
    called: list[Any] = []
    send = register(bench, kind, called)
    await bench.soniq.enqueue(send, "a@b")
    await bench.soniq.enqueue(send, email="c@d", count=3)
    await bench.run_once()
    assert sorted(called) == [("a@b", 2), ("c@d", 3)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            '{"email": "nobody"}',
            "'email': String should match pattern '@', got a value of type str",
        ),
        ('{"email": "a@b", "count": 0}', "'count': Input should be greater than 0"),
    ],
)
async def test_a_job_that_the_model_refuses_is_dead_at_once(
    bench: Bench, kind: str, arguments: str, problem: str
) -> None:
    called: list[Any] = []
    send = register(bench, kind, called)
    handle = await store_by_hand(bench, arguments)
    good = await bench.soniq.enqueue(send, "good@b")
    await bench.run_once()
    row = await bench.row(handle)
    assert (row.state, row.reason, row.attempts) == ("dead", "invalid arguments", 1)
    assert f"The stored arguments do not fit send(): {problem}" in row.error
    assert [one.outcome for one in await bench.attempts(handle)] == ["invalid arguments"]
    with pytest.raises(JobDeadError, match="invalid arguments"):
        await bench.soniq.handle(handle.id).result(timeout=10)
    assert called == [("good@b", 2)]
    assert (await bench.row(good)).state == "done"


async def test_a_model_that_was_made_narrower_makes_waiting_jobs_dead_and_their_replay_too(
    bench: Bench,
) -> None:
    class Narrower(SendArgs):
        @field_validator("email")
        @classmethod
        def inside(cls, email: str) -> str:
            if not email.endswith("@here"):
                raise ValueError("not one of ours")
            return email

    called: list[Any] = []
    handle = await bench.soniq.enqueue(register(bench, "async", called), email="a@b")
    later = Bench(bench.url)
    register(later, "async", called, args_model=Narrower)
    await later.run_once()
    (letter,) = await later.soniq.dead_letters.list(reason="invalid arguments")
    assert letter.id == handle.id
    assert "not one of ours" in (letter.error or "")
    again = await later.soniq.dead_letters.replay(letter.id)
    await later.run_once()
    assert (await later.row(again)).reason == "invalid arguments"
    await bench.soniq.dead_letters.replay(letter.id)
    await bench.run_once()
    assert called == [("a@b", 2)]
    await later.engine.dispose()


async def test_an_entity_beside_the_model_is_loaded(bench: Bench) -> None:
    called: list[Any] = []

    class Counted(BaseModel):
        count: int = Field(gt=0)

    @bench.task(args_model=Counted)
    async def bill(order: Order, count: int) -> None:
        called.append((order.total, count))

    async with bench.sessions.begin() as session:
        order = Order(total=12)
        session.add(order)
        session.enqueue(bill, order, 3)
    await bench.run_once()
    assert called == [(12, 3)]


async def test_a_validator_that_breaks_is_a_failed_attempt_like_any_other(bench: Bench) -> None:
    broken = True

    class Shaky(BaseModel):
        count: int

        @field_validator("count")
        @classmethod
        def look(cls, count: int) -> int:
            if broken:
                raise RuntimeError("the validator is broken")
            return count

    called: list[int] = []

    @bench.task(args_model=Shaky, retries=0)
    async def work(count: int) -> None:
        called.append(count)

    broken = False
    handle = await bench.soniq.enqueue(work, 1)
    broken = True
    await bench.run_once()
    row = await bench.row(handle)
    assert (row.state, row.reason) == ("dead", "retries exhausted")
    assert "the validator is broken" in row.error
    broken = False
    await bench.soniq.dead_letters.replay(handle.id)
    await bench.run_once()
    assert called == [1]
