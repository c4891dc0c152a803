"""Middleware: around the handler and its commit, able to refuse a job, unable to hide a failure."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from soniq_sa import (
    CallNext,
    Cancel,
    ConfigurationError,
    Discard,
    InvalidArgumentsError,
    JobContext,
    Retry,
    Snooze,
    inject,
)
from soniq_sa.events import HookFailed
from tests.runtime.bench import Bench
from tests.runtime.models import Effect

Handler = Callable[..., Any]


def handlers(calls: list[str], *, error: Exception | None = None) -> dict[str, Handler]:
    """Return a handler of each kind; those with a session leave an effect."""

    def act() -> str:
        calls.append("handler")
        if error is not None:
            raise error
        return "result"

    async def plain() -> str:
        return act()

    def thread() -> str:
        return act()

    async def session(session: AsyncSession = inject()) -> str:
        session.add(Effect(note="effect"))
        return act()

    def session_in_thread(session: Session = inject()) -> str:
        session.add(Effect(note="effect"))
        return act()

    return {one.__name__: one for one in (plain, thread, session, session_in_thread)}


ALL = tuple(handlers([]))
WITH_SESSION = ("session", "session_in_thread")
WITHOUT_SESSION = ("plain", "thread")


@pytest.mark.parametrize("kind", ALL)
async def test_middleware_is_around_the_handler_on_the_loop_the_first_outermost(
    bench: Bench, kind: str
) -> None:
    calls: list[str] = []

    def around(name: str) -> Any:
        async def middleware(ctx: JobContext, call_next: CallNext) -> None:
            assert threading.current_thread() is threading.main_thread()
            calls.append(f"{name} {ctx.task}")
            calls.append(f"{name} {await call_next()}")

        return middleware

    bench.soniq.middleware(around("outer"))
    bench.soniq.middleware(around("inner"))
    bench.soniq.before_job(lambda _: calls.append("before"))
    bench.soniq.after_job(lambda _, __: calls.append("after"))
    handle = await bench.soniq.enqueue(bench.task(name="task")(handlers(calls)[kind]))
    await bench.run_once()
    assert calls == [
        *("outer task", "inner task", "before", "handler", "after"),
        *("inner result", "outer result"),
    ]
    row = await bench.row(handle)
    assert (row.state, row.result, row.attempts) == ("done", "result", 1)


@pytest.mark.parametrize("kind", WITH_SESSION)
async def test_what_comes_after_call_next_comes_after_the_commit(bench: Bench, kind: str) -> None:
    seen: list[Any] = []

    @bench.soniq.middleware
    async def look(ctx: JobContext, call_next: CallNext) -> None:
        seen.append((await bench.effects(), (await bench.row(ctx.job_id)).state))
        await call_next()
        seen.append((await bench.effects(), (await bench.row(ctx.job_id)).state))

    await bench.soniq.enqueue(bench.task()(handlers([])[kind]))
    await bench.run_once()
    assert seen == [([], "processing"), (["effect"], "done")]


@pytest.mark.parametrize("kind", ALL)
async def test_what_a_middleware_returns_is_ignored(bench: Bench, kind: str) -> None:
    @bench.soniq.middleware
    async def other(_ctx: JobContext, call_next: CallNext) -> str:
        await call_next()
        return "something else"

    handle = await bench.soniq.enqueue(bench.task()(handlers([])[kind]))
    await bench.run_once()
    assert (await bench.row(handle)).result == "result"


@pytest.mark.parametrize("kind", ALL)
async def test_a_middleware_sees_the_error_of_the_handler_itself(bench: Bench, kind: str) -> None:
    error = ValueError("of the handler")
    seen: list[BaseException] = []

    @bench.soniq.middleware
    async def look(_ctx: JobContext, call_next: CallNext) -> None:
        try:
            await call_next()
        except ValueError as raised:
            seen.append(raised)
            raise

    task = bench.task(retries=1, retry_delay=0)(handlers([], error=error)[kind])
    handle = await bench.soniq.enqueue(task)
    await bench.run_once()
    assert seen == [error, error]
    row = await bench.row(handle)
    assert (row.state, row.attempts) == ("dead", 2)
    assert "ValueError: of the handler" in row.error
    assert await bench.effects() == []


@pytest.mark.parametrize("kind", ALL)
async def test_a_failure_that_a_middleware_swallows_remains_one(bench: Bench, kind: str) -> None:
    seen: list[str] = []
    bench.soniq.on_error(lambda _, error: seen.append(f"told {error}"))

    @bench.soniq.middleware
    async def outer(_ctx: JobContext, call_next: CallNext) -> None:
        try:
            await call_next()
        except ValueError as error:
            seen.append(f"outer {error}")

    @bench.soniq.middleware
    async def inner(_ctx: JobContext, call_next: CallNext) -> str:
        try:
            await call_next()
        except ValueError as error:
            seen.append(f"inner {error}")
        return "all is well"

    error = ValueError("x")
    handle = await bench.soniq.enqueue(bench.task(retries=0)(handlers([], error=error)[kind]))
    await bench.run_once()
    row = await bench.row(handle)
    assert (row.state, row.result) == ("dead", None)
    assert "ValueError: x" in row.error
    assert seen == ["inner x", "outer x", "told x"]


async def test_a_final_failure_stays_final_behind_a_middleware(bench: Bench) -> None:
    seen: list[BaseException] = []

    @bench.soniq.middleware
    async def look(_ctx: JobContext, call_next: CallNext) -> None:
        try:
            await call_next()
        except InvalidArgumentsError as error:
            seen.append(error)
            raise

    @bench.task(retries=5, retry_delay=0)
    async def task(number: int) -> None:
        raise AssertionError(number)

    handle = await bench.soniq.enqueue(task, 1)
    await bench.rows("""UPDATE soniq_jobs SET args = '{"number": "x"}'""")
    await bench.run_once()
    row = await bench.row(handle)
    assert (row.state, row.reason, row.attempts) == ("dead", "invalid arguments", 1)
    assert len(seen) == 1


@pytest.mark.parametrize("kind", ALL)
async def test_an_error_of_a_middleware_before_the_handler_is_that_of_the_attempt(
    bench: Bench, kind: str
) -> None:
    calls: list[str] = []
    told: list[BaseException] = []
    bench.soniq.on_error(lambda _, error: told.append(error))
    bench.soniq.before_job(lambda _: calls.append("before"))

    @bench.soniq.middleware
    async def refuse(ctx: JobContext, call_next: CallNext) -> None:
        if ctx.attempt == 1:
            raise LookupError("not yet")
        await call_next()

    task = bench.task(retries=1, retry_delay=0)(handlers(calls)[kind])
    handle = await bench.soniq.enqueue(task)
    await bench.run_once()
    row = await bench.row(handle)
    assert (row.state, row.attempts) == ("done", 2)
    assert calls == ["before", "handler"]
    assert [str(one) for one in told] == ["not yet"]
    (attempt,) = await bench.attempts(handle)
    assert "LookupError: not yet" in attempt.error


@pytest.mark.parametrize("kind", WITHOUT_SESSION)
async def test_an_error_after_a_handler_without_a_session_is_that_of_the_attempt(
    bench: Bench, kind: str
) -> None:
    calls: list[str] = []
    told: list[BaseException] = []
    bench.soniq.on_error(lambda _, error: told.append(error))

    @bench.soniq.middleware
    async def fail_once(ctx: JobContext, call_next: CallNext) -> None:
        await call_next()
        if ctx.attempt == 1:
            raise LookupError("after")

    task = bench.task(retries=1, retry_delay=0)(handlers(calls)[kind])
    handle = await bench.soniq.enqueue(task)
    await bench.run_once()
    row = await bench.row(handle)
    assert (row.state, row.attempts) == ("done", 2)
    assert calls == ["handler", "handler"]
    assert [str(one) for one in told] == ["after"]


@pytest.mark.parametrize("kind", WITH_SESSION)
@pytest.mark.parametrize("error", [LookupError("after"), Snooze(60), Cancel(), SystemExit(3)])
async def test_an_error_after_the_commit_is_reported_and_changes_nothing(
    bench: Bench, kind: str, error: BaseException
) -> None:
    calls: list[str] = []
    told: list[BaseException] = []
    bench.soniq.on_error(lambda _, error: told.append(error))

    @bench.soniq.middleware
    async def outer(_ctx: JobContext, call_next: CallNext) -> None:
        calls.append(await call_next())

    @bench.soniq.middleware
    async def inner(_ctx: JobContext, call_next: CallNext) -> None:
        await call_next()
        raise error

    task = bench.task(retries=3, retry_delay=0)(handlers(calls)[kind])
    handle = await bench.soniq.enqueue(task)
    await bench.run_once()
    row = await bench.row(handle)
    assert (row.state, row.attempts, row.claims, row.result) == ("done", 1, 1, "result")
    assert await bench.effects() == ["effect"]
    assert calls == ["handler", "result"]
    assert told == []
    (failed,) = bench.events_of(HookFailed)
    assert (failed.kind, failed.job_id) == ("middleware", handle.id)
    assert failed.hook.endswith("inner")
    assert type(error).__name__ in failed.error


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("ask", "state", "attempts"),
    [
        (Snooze(60, "later"), "scheduled", 0),
        (Retry(60, "again"), "scheduled", 1),
        (Cancel("unwanted"), "cancelled", 1),
        (Discard("useless"), "dead", 1),
    ],
    ids=repr,
)
async def test_a_middleware_may_ask_what_a_handler_may_ask(
    bench: Bench, kind: str, ask: Exception, state: str, attempts: int
) -> None:
    calls: list[str] = []
    told: list[BaseException] = []
    bench.soniq.on_error(lambda _, error: told.append(error))

    @bench.soniq.middleware
    async def decide(_ctx: JobContext, _call_next: CallNext) -> None:
        raise ask

    handle = await bench.soniq.enqueue(bench.task()(handlers(calls)[kind]))
    await bench.run_once()
    row = await bench.row(handle)
    assert (row.state, row.attempts) == (state, attempts)
    assert calls == []
    assert told == []


async def test_a_middleware_may_make_a_wish_of_an_error(bench: Bench) -> None:
    told: list[BaseException] = []
    bench.soniq.on_error(lambda _, error: told.append(error))

    @bench.soniq.middleware
    async def wait(_ctx: JobContext, call_next: CallNext) -> None:
        try:
            await call_next()
        except ConnectionError as error:
            raise Snooze(60, "the shop is away") from error

    handlers_ = handlers([], error=ConnectionError("no route"))
    handle = await bench.soniq.enqueue(bench.task()(handlers_["session"]))
    await bench.run_once()
    row = await bench.row(handle)
    assert (row.state, row.reason, row.attempts) == ("scheduled", "the shop is away", 0)
    assert told == []


@pytest.mark.parametrize("kind", ALL)
async def test_call_next_raises_what_a_handler_asks_for_if_it_raised(
    bench: Bench, kind: str
) -> None:
    seen: list[BaseException] = []

    @bench.soniq.middleware
    async def look(_ctx: JobContext, call_next: CallNext) -> None:
        try:
            await call_next()
        except Snooze as ask:
            seen.append(ask)
            raise

    handle = await bench.soniq.enqueue(bench.task()(handlers([], error=Snooze(60))[kind]))
    await bench.run_once()
    assert seen == [Snooze(60)]
    assert (await bench.row(handle)).state == "scheduled"


async def test_call_next_returns_what_a_handler_asks_for_if_it_returned(bench: Bench) -> None:
    seen: list[Any] = []

    @bench.soniq.middleware
    async def look(_ctx: JobContext, call_next: CallNext) -> None:
        seen.append(await call_next())

    @bench.task()
    async def task(session: AsyncSession = inject()) -> Snooze:
        session.add(Effect(note="committed"))
        return Snooze(60)

    handle = await bench.soniq.enqueue(task)
    await bench.run_once()
    assert seen == [Snooze(60)]
    assert (await bench.row(handle)).state == "scheduled"
    assert await bench.effects() == ["committed"]


async def test_a_middleware_that_does_not_call_the_handler_fails_the_attempt(bench: Bench) -> None:
    calls: list[str] = []

    @bench.soniq.middleware
    async def forgetful(_ctx: JobContext, _call_next: CallNext) -> str:
        return "result"

    handle = await bench.soniq.enqueue(bench.task(retries=0)(handlers(calls)["plain"]))
    await bench.run_once()
    row = await bench.row(handle)
    assert (row.state, calls) == ("dead", [])
    assert "forgetful returned without calling call_next()" in row.error
    assert "[R06]" in row.error


@pytest.mark.parametrize("kind", ALL)
async def test_a_middleware_cannot_call_the_handler_twice(bench: Bench, kind: str) -> None:
    calls: list[str] = []

    @bench.soniq.middleware
    async def eager(_ctx: JobContext, call_next: CallNext) -> None:
        await call_next()
        await call_next()

    handle = await bench.soniq.enqueue(bench.task(retries=0)(handlers(calls)[kind]))
    await bench.run_once()
    assert calls == ["handler"]
    row = await bench.row(handle)
    if kind in WITH_SESSION:
        assert (row.state, await bench.effects()) == ("done", ["effect"])
        text = bench.events_of(HookFailed)[0].error
    else:
        assert row.state == "dead"
        text = row.error
    assert "eager called call_next() twice" in text


async def test_a_middleware_that_does_not_await_the_handler_fails_the_attempt(
    bench: Bench,
) -> None:
    go_on = asyncio.Event()
    tasks: list[asyncio.Task[Any]] = []

    @bench.soniq.middleware
    async def careless(ctx: JobContext, call_next: CallNext) -> None:
        if ctx.attempt == 1:
            tasks.append(asyncio.ensure_future(call_next()))
            await asyncio.sleep(0)
        else:
            await call_next()

    @bench.task(retries=1, retry_delay=0)
    async def task(ctx: JobContext = inject(), session: AsyncSession = inject()) -> None:
        session.add(Effect(note=f"attempt {ctx.attempt}"))
        if ctx.attempt == 1:
            await go_on.wait()

    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        await bench.until_state(handle, "done")
        go_on.set()
        await asyncio.wait(tasks, timeout=5)
    assert await bench.effects() == ["attempt 2"]
    assert tasks[0].exception() is not None
    (attempt,) = await bench.attempts(handle)
    assert "careless did not wait for call_next()" in attempt.error


async def test_the_time_limit_cancels_a_middleware_that_hangs(bench: Bench) -> None:
    cancelled: list[bool] = []

    @bench.soniq.middleware
    async def hang(_ctx: JobContext, call_next: CallNext) -> None:
        await call_next()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)

    tasks = [
        bench.task(timeout=0.1, retries=0)(handlers([])[kind]) for kind in ("plain", "session")
    ]
    plain, session = [await bench.soniq.enqueue(task) for task in tasks]
    async with bench.worker():
        row = await bench.until_state(plain, "dead")
        await bench.until(lambda: len(cancelled) == 2, "both to be cancelled")
    assert row.reason == "timed out"
    row = await bench.row(session)
    assert (row.state, row.claims, await bench.effects()) == ("done", 1, ["effect"])


async def test_the_time_limit_reaches_the_handler_through_a_middleware(bench: Bench) -> None:
    seen: list[str] = []

    @bench.soniq.middleware
    async def look(_ctx: JobContext, call_next: CallNext) -> None:
        try:
            await call_next()
        except asyncio.CancelledError:
            seen.append("middleware")

    @bench.task(timeout=0.1, retries=0)
    async def task() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("handler")

    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert row.reason == "timed out"
    assert seen == ["handler", "middleware"]


async def test_a_middleware_may_set_a_shorter_limit_of_its_own(bench: Bench) -> None:
    @bench.soniq.middleware
    async def limit(_ctx: JobContext, call_next: CallNext) -> None:
        await asyncio.wait_for(call_next(), 0.05)

    @bench.task(retries=0)
    async def task(session: AsyncSession = inject()) -> None:
        session.add(Effect(note="lost"))
        await asyncio.Event().wait()

    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert row.reason == "retries exhausted"
    assert "TimeoutError" in row.error
    assert await bench.effects() == []


async def test_context_variables_of_a_middleware_are_seen_by_the_handler(bench: Bench) -> None:
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")
    seen: list[str] = []

    @bench.soniq.middleware
    async def bind(ctx: JobContext, call_next: CallNext) -> None:
        token = tenant.set(ctx.headers["tenant"])
        await call_next()
        tenant.reset(token)

    @bench.task()
    def in_a_thread() -> None:
        seen.append(tenant.get())

    @bench.task()
    async def on_the_loop(session: AsyncSession = inject()) -> None:
        del session
        seen.append(tenant.get())

    for number, task in enumerate((in_a_thread, on_the_loop)):
        await bench.soniq.enqueue(task.options(headers={"tenant": f"t{number}"}))
    await bench.run_once()
    assert sorted(seen) == ["t0", "t1"]


async def test_a_job_waits_for_its_place_in_the_pool_before_the_first_middleware(
    url: str,
) -> None:
    bench = Bench(url)
    await bench.engine.dispose()
    bench.engine = create_async_engine(bench.engine.url, pool_size=1, max_overflow=0)
    bench.sessions.configure(bind=bench.engine)
    bench.soniq.databases = type(bench.soniq.databases)(bench.engine, None, None)
    inside, most = 0, 0

    @bench.soniq.middleware
    async def count(_ctx: JobContext, call_next: CallNext) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await call_next()
        inside -= 1

    @bench.task(timeout=1.5, retries=0)
    async def task(session: AsyncSession = inject()) -> None:
        await session.connection()
        await asyncio.sleep(0.25)

    async with bench.sessions.begin() as session:
        made = session.enqueue_many(task, [{}] * 8)
    async with bench.worker():
        for handle in made:
            await bench.until_state(handle, "done")
    assert most == 1
    await bench.engine.dispose()


@pytest.mark.parametrize("middleware", [None, print, len], ids=["none", "function", "builtin"])
def test_what_is_no_async_function_is_refused(bench: Bench, middleware: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"takes an async function.*async def"):
        bench.soniq.middleware(middleware)


def test_a_middleware_with_other_parameters_is_refused(bench: Bench) -> None:
    async def other(ctx: JobContext) -> None:
        del ctx

    with pytest.raises(ConfigurationError, match=r"\(ctx, call_next\)"):
        bench.soniq.middleware(other)  # type: ignore[arg-type]
