"""What a worker records, logs and says of a job that failed gives away nothing that is secret."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from soniq_sa import Cancel, Discard, JobContext, Retry, Snooze, inject
from soniq_sa.masks import MASK
from tests.runtime.bench import Bench
from tests.security.leaks import SECRET

TABLES = (
    "CREATE TABLE guarded (id int, note text CHECK (false))",
    "CREATE TABLE accounts (password text UNIQUE)",
)
DSN = f"postgresql://shop:{SECRET}@db.internal:5432/shop"
Handler = Callable[[AsyncSession, str], Awaitable[object]]


async def say(_session: AsyncSession, password: str) -> None:
    raise ValueError(f"{password!r} is no password")


async def give_up(_session: AsyncSession, password: str) -> object:
    return Discard(f"{password} is no password")


async def ask_again(_session: AsyncSession, password: str) -> object:
    raise Retry(reason=f"{password} is no password")


async def execute(session: AsyncSession, password: str) -> None:
    statement = text("INSERT INTO orders (id, total) VALUES (1, CAST(:given AS int))")
    await session.execute(statement, {"given": f"x{password[::-1]}"})


async def execute_in_vain(session: AsyncSession, password: str) -> None:
    try:
        await execute(session, password)
    except DBAPIError as error:
        raise RuntimeError("It did not work.") from error


async def execute_many(session: AsyncSession, password: str) -> None:
    try:
        await execute(session, password)
    except DBAPIError as error:
        raise ExceptionGroup("Several did not work.", [ValueError("one"), error]) from None


async def violate(session: AsyncSession, password: str) -> None:
    await session.execute(text("INSERT INTO guarded VALUES (1, :note)"), {"note": password[::-1]})


async def repeat(session: AsyncSession, password: str) -> None:
    statement = text("INSERT INTO accounts VALUES (:password)")
    for _ in range(2):
        await session.execute(statement, {"password": password[::-1]})


async def cast(session: AsyncSession, password: str) -> None:
    await session.execute(
        text("SELECT CAST(CAST(:given AS text) AS int)"), {"given": password[::-1]}
    )


async def connect(_session: AsyncSession, _password: str) -> None:
    raise ConnectionError(f"cannot reach {DSN}; nor password={SECRET} host=db")


FAILURES: list[Handler] = [
    say,
    give_up,
    ask_again,
    execute,
    execute_in_vain,
    execute_many,
    violate,
    repeat,
    cast,
    connect,
]


async def all_that_is_said(bench: Bench, handle: Any, log: pytest.LogCaptureFixture) -> str:
    """Return what is in the tables beside the arguments, in the log and in the events."""
    row = await bench.row(handle)
    found = {**row._mapping, "args": None, "headers": None}  # noqa: SLF001 - a Row's public name for it
    attempts = await bench.attempts(handle)
    return repr((found, attempts, log.text, bench.seen))


@pytest.mark.parametrize("fail", FAILURES)
async def test_the_error_of_a_job_holds_no_secret(
    bench: Bench, caplog: pytest.LogCaptureFixture, fail: Handler
) -> None:
    for statement in TABLES:
        await bench.rows(statement)

    @bench.task(retries=0)
    async def task(password: str, session: AsyncSession = inject()) -> Any:
        return await fail(session, password)

    handle = await bench.soniq.enqueue(task, SECRET)
    await bench.run_once()
    row = await bench.row(handle)
    assert row.state == "dead"
    assert row.error
    assert row.args == {"password": SECRET}
    said = await all_that_is_said(bench, handle, caplog)
    assert SECRET not in said
    assert SECRET[::-1] not in said, "a value that is no argument, as a parameter or a row"


@pytest.mark.parametrize("make", [Snooze, Cancel], ids=lambda one: one.__name__)
async def test_the_reason_of_a_handler_holds_no_secret(
    bench: Bench, caplog: pytest.LogCaptureFixture, make: Any
) -> None:
    options = {"seconds": 3600} if make is Snooze else {}

    @bench.task()
    async def task(ctx: JobContext = inject()) -> Any:
        return make(**options, reason=f"not with {ctx.headers['x-api-key']}")

    named = task.options(headers={"x-api-key": SECRET})
    handle = await bench.soniq.enqueue(named)
    await bench.run_once()
    assert (await bench.row(handle)).reason == f"not with {MASK}"
    assert SECRET not in await all_that_is_said(bench, handle, caplog)


async def test_hooks_and_policies_that_fail_tell_no_secret(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def decide(_error: BaseException, _attempt: int) -> float:
        raise ValueError(f"no policy for {SECRET}")

    @bench.soniq.before_job
    def note(_ctx: JobContext) -> None:
        raise ValueError(f"no hook for {SECRET}")

    @bench.task(retry_policy=decide)
    async def task(login: dict[str, Any]) -> None:
        raise ValueError(repr(login))

    handle = await bench.soniq.enqueue(task, {"user": "Ann", "credentials": [{"k": SECRET}]})
    async with bench.worker():
        await bench.until_state(handle, "scheduled")
    said = await all_that_is_said(bench, handle, caplog)
    assert "no policy for" in said
    assert "no hook for" in said
    assert "Ann" in said
    assert SECRET not in said


async def test_a_secret_by_its_type_is_kept_whatever_its_name(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    @bench.task(retries=0)
    async def task(pin: SecretStr) -> None:
        raise ValueError(pin.get_secret_value())

    handle = await bench.soniq.enqueue(task, SecretStr(SECRET))
    await bench.run_once()
    assert f"ValueError: {MASK}" in (await bench.row(handle)).error
    assert SECRET not in await all_that_is_said(bench, handle, caplog)


async def test_stored_arguments_that_do_not_fit_are_not_shown_at_all(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    @bench.task()
    async def task(number: int) -> None:
        del number

    job_id = uuid4()
    await bench.rows(
        "INSERT INTO soniq_jobs (id, task, args) VALUES (:id, 'task', CAST(:args AS jsonb))",
        id=job_id,
        args=json.dumps({"number": SECRET}),
    )
    await bench.run_once()
    row = await bench.row(job_id)
    assert row.reason == "invalid arguments"
    assert "'number'" in row.error
    assert SECRET not in repr((row.error, caplog.text, bench.seen))
    assert "'number'" in caplog.text


async def test_what_an_application_reads_shows_no_secret_in_its_repr(bench: Bench) -> None:
    @bench.task(retries=0)
    async def task(password: str) -> dict[str, str]:
        return {"token": password}

    done = await bench.soniq.enqueue(task.options(headers={"cookie": SECRET}), SECRET)
    await bench.run_once()
    record = await bench.soniq.get_job(done)
    assert record
    assert record.result == {"token": SECRET}
    assert SECRET not in repr((done, record))
    await bench.rows("UPDATE soniq_jobs SET state = 'dead', error = :error", error=SECRET)
    (letter,) = await bench.soniq.dead_letters.list()
    assert letter.args == {"password": SECRET}
    assert SECRET not in repr(letter)
    shown = bench.soniq.dead_letters.redacted(letter)
    assert (shown.args, shown.headers, shown.error) == ({"password": MASK}, {"cookie": MASK}, MASK)
