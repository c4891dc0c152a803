"""``before_job``, ``after_job`` and ``on_error``: when they are called, and that they harm nothing."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from soniq_sa import (
    CallNext,
    Cancel,
    ConfigurationError,
    Discard,
    EntityGoneError,
    InvalidArgumentsError,
    InvalidResultError,
    JobContext,
    JobTimeoutError,
    LeaseLostError,
    Retry,
    Snooze,
    inject,
)
from soniq_sa.events import HookFailed, JobFailed, JobsDone, JobSnoozed
from soniq_sa.runtime import surroundings
from soniq_sa.runtime.handler import AsyncHandler
from soniq_sa.runtime.parts import Parts
from tests.runtime.bench import Bench
from tests.runtime.models import Effect, Order

KINDS = ("before_job", "after_job", "on_error")
NO_HOOKS: dict[str, Any] = {
    "nothing": None,
    "text": "hook",
    "without parameters": lambda: None,
    "with three parameters": lambda a, b, c: (a, b, c),
}


def watch(bench: Bench) -> list[Any]:
    """Note every call of a hook."""
    seen: list[Any] = []
    bench.soniq.before_job(lambda ctx: seen.append(("before", ctx.task)))
    bench.soniq.after_job(lambda ctx, result: seen.append(("after", ctx.task, result)))
    bench.soniq.on_error(lambda ctx, error: seen.append(("error", ctx.task, error)))
    return seen


async def test_hooks_are_called_around_an_async_handler(bench: Bench) -> None:
    seen = watch(bench)

    @bench.task()
    async def task() -> int:
        seen.append("handler")
        return 7

    handle = await bench.soniq.enqueue(task)
    await bench.run_once()
    assert seen == [("before", "task"), "handler", ("after", "task", 7)]
    assert (await bench.row(handle)).result == 7


async def test_hooks_are_called_around_a_sync_handler(bench: Bench) -> None:
    seen = watch(bench)

    @bench.task()
    def task() -> int:
        seen.append("handler")
        return 7

    handle = await bench.soniq.enqueue(task)
    await bench.run_once()
    assert seen == [("before", "task"), "handler", ("after", "task", 7)]
    assert (await bench.row(handle)).state == "done"


async def test_hooks_know_the_job(bench: Bench) -> None:
    contexts: list[JobContext] = []
    bench.soniq.before_job(contexts.append)

    @bench.task()
    async def task(ctx: JobContext = inject()) -> None:
        contexts.append(ctx)

    await bench.soniq.enqueue(task.options(headers={"trace": "7"}, tags=["a"]))
    await bench.run_once()
    assert contexts[0].headers == contexts[1].headers == {"trace": "7"}
    assert contexts[0].job_id == contexts[1].job_id


async def test_hooks_of_one_kind_are_called_in_the_order_of_registration(bench: Bench) -> None:
    seen: list[int] = []

    @bench.soniq.before_job
    async def first(ctx: JobContext) -> None:
        await asyncio.sleep(0)
        seen.append(ctx.attempt)

    @bench.soniq.before_job
    def second(ctx: JobContext) -> None:
        seen.append(ctx.attempt + 1)

    @bench.soniq.before_job
    async def third(ctx: JobContext) -> None:
        seen.append(ctx.attempt + 2)

    for task in (bench.task(name="async")(a_task), bench.task(name="sync")(a_sync_task)):
        await bench.soniq.enqueue(task)
        await bench.run_once()
    assert seen == [1, 2, 3, 1, 2, 3]


async def a_task() -> None:
    """Do nothing, on the loop."""


def a_sync_task() -> None:
    """Do nothing, in a thread."""


async def fail() -> None:
    """Fail, as a method of nothing."""
    raise ValueError("fail")


async def test_sync_hooks_of_a_sync_handler_run_in_threads_and_others_on_the_loop(
    bench: Bench,
) -> None:
    threads: dict[str, list[threading.Thread]] = {"sync": [], "async": []}
    bench.soniq.before_job(lambda _: threads["sync"].append(threading.current_thread()))

    @bench.soniq.after_job
    async def after(_ctx: JobContext, _result: object) -> None:
        threads["async"].append(threading.current_thread())

    await bench.soniq.enqueue(bench.task()(a_sync_task))
    await bench.run_once()
    assert threads["sync"] != [threading.current_thread()] == threads["async"]
    await bench.soniq.enqueue(bench.task()(a_task))
    await bench.run_once()
    assert threads["sync"][1] is threads["async"][1] is threading.current_thread()


async def test_a_sync_hook_that_returns_an_awaitable_is_awaited(bench: Bench) -> None:
    seen: list[str] = []

    async def note(text: str) -> None:
        await asyncio.sleep(0)
        seen.append(text)

    bench.soniq.before_job(lambda ctx: note(ctx.task))
    bench.soniq.before_job(functools.partial(lambda text, _ctx: note(text), "partial"))
    for task in (bench.task()(a_task), bench.task()(a_sync_task)):
        await bench.soniq.enqueue(task)
    await bench.run_once()
    assert sorted(seen) == ["a_sync_task", "a_task", "partial", "partial"]


async def test_a_context_variable_of_a_hook_is_seen_by_the_handler(bench: Bench) -> None:
    request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")
    seen: list[str] = []

    @bench.soniq.before_job
    async def bind(ctx: JobContext) -> None:
        request.set(ctx.headers["request"])

    @bench.task()
    def task() -> None:
        seen.append(request.get())

    await bench.soniq.enqueue(task.options(headers={"request": "r7"}))
    await bench.run_once()
    assert seen == ["r7"]
    assert request.get() == "none"


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, StopIteration])
@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_a_broken_hook_is_reported_and_changes_nothing(
    bench: Bench, error: type[BaseException], *, is_async: bool
) -> None:
    seen = []

    @bench.soniq.before_job
    async def broken(_ctx: JobContext) -> None:
        raise error("broken")

    @bench.soniq.after_job
    def also_broken(_ctx: JobContext, _result: object) -> None:
        raise error("also broken")

    bench.soniq.before_job(lambda ctx: seen.append(ctx.task))
    bench.soniq.after_job(lambda ctx, _: seen.append(ctx.task))
    handle = await bench.soniq.enqueue(bench.task()(a_task if is_async else a_sync_task))
    await bench.run_once()
    row = await bench.row(handle)
    assert (row.state, row.attempts) == ("done", 1)
    assert seen == [handle.name] * 2
    before, after = bench.events_of(HookFailed)
    assert (before.kind, after.kind) == ("before_job", "after_job")
    assert (before.job_id, before.task) == (handle.id, handle.name)
    assert before.hook == f"{__name__}.{broken.__qualname__}".replace(".<locals>", "")
    assert "broken" in before.error
    assert "also broken" in after.error


async def test_a_hook_that_raises_a_cancellation_of_its_own_is_only_broken(bench: Bench) -> None:
    @bench.soniq.before_job
    async def broken(_ctx: JobContext) -> None:
        raise asyncio.CancelledError

    handle = await bench.soniq.enqueue(bench.task()(a_task))
    await bench.run_once()
    assert (await bench.row(handle)).state == "done"
    assert len(bench.events_of(HookFailed)) == 1


@pytest.mark.parametrize("ask", [Snooze(60), Retry(60), Cancel(), Discard()], ids=repr)
async def test_a_hook_cannot_decide_on_the_job(bench: Bench, ask: Exception) -> None:
    @bench.soniq.before_job
    async def decide(_ctx: JobContext) -> None:
        raise ask

    handle = await bench.soniq.enqueue(bench.task()(a_task))
    await bench.run_once()
    assert (await bench.row(handle)).state == "done"
    assert len(bench.events_of(HookFailed)) == 1


async def test_a_failure_is_told_with_the_error_that_the_handler_raised(bench: Bench) -> None:
    seen = watch(bench)
    errors = [ValueError("on the loop"), ValueError("in a thread")]

    @bench.task(retries=0)
    async def on_the_loop() -> None:
        raise errors[0]

    @bench.task(retries=0)
    def in_a_thread() -> None:
        raise errors[1]

    for task in (on_the_loop, in_a_thread):
        await bench.soniq.enqueue(task)
        await bench.run_once()
    told = [one for one in seen if one[0] != "before"]
    assert told == [("error", "on_the_loop", errors[0]), ("error", "in_a_thread", errors[1])]


async def test_each_failed_attempt_is_told(bench: Bench) -> None:
    attempts: list[tuple[int, int]] = []
    bench.soniq.on_error(lambda ctx, _: attempts.append((ctx.attempt, ctx.max_attempts)))
    await bench.soniq.enqueue(bench.task(retries=2, retry_delay=0)(fail))
    await bench.run_once()
    assert attempts == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, StopIteration, BaseException])
@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_errors_that_are_none_are_told_as_well(
    bench: Bench, error: type[BaseException], *, is_async: bool
) -> None:
    told: list[BaseException] = []
    bench.soniq.on_error(lambda _, error: told.append(error))

    async def on_the_loop() -> None:
        raise error("odd")

    def in_a_thread() -> None:
        raise error("odd")

    task = bench.task(name="task", retries=0)(on_the_loop if is_async else in_a_thread)
    handle = await bench.soniq.enqueue(task)
    await bench.run_once()
    assert (await bench.row(handle)).state == "dead"
    wrapped = is_async and error is StopIteration
    assert [type(one) for one in told] == [RuntimeError if wrapped else error]


async def test_a_failure_before_the_handler_is_told_with_the_public_error(bench: Bench) -> None:
    told: list[BaseException] = []
    bench.soniq.on_error(lambda _, error: told.append(error))

    @bench.task()
    async def plain(number: int) -> None:
        raise AssertionError(number)

    @bench.task()
    async def taking(order: Order) -> None:
        raise AssertionError(order)

    order = Order(id=7)
    await bench.add(order)
    wrong = await bench.soniq.enqueue(plain, 1)
    gone = await bench.soniq.enqueue(taking, order)
    await bench.rows(
        """UPDATE soniq_jobs SET args = '{"number": "x"}' WHERE id = :id""", id=wrong.id
    )
    await bench.rows("DELETE FROM orders")
    await bench.run_once()
    assert {type(one) for one in told} == {InvalidArgumentsError, EntityGoneError}
    assert (await bench.row(wrong)).reason == "invalid arguments"
    assert (await bench.row(gone)).reason == "entity gone"


@pytest.mark.parametrize("with_session", [True, False])
async def test_a_result_that_cannot_be_stored_is_told_with_the_public_error(
    bench: Bench, *, with_session: bool
) -> None:
    seen = watch(bench)

    async def bare() -> int:
        return "seven"  # type: ignore[return-value]

    async def writing(session: AsyncSession = inject()) -> int:
        session.add(Effect(note="lost"))
        return "seven"  # type: ignore[return-value]

    handle = await bench.soniq.enqueue(bench.task(name="task")(writing if with_session else bare))
    await bench.run_once()
    assert (await bench.row(handle)).reason == "invalid result"
    assert [(one[0], type(one[-1])) for one in seen[1:]] == [("error", InvalidResultError)]
    assert await bench.effects() == []


@pytest.mark.parametrize("ask", [Snooze(60), Retry(60), Cancel(), Discard()], ids=repr)
@pytest.mark.parametrize("raised", [True, False], ids=["raised", "returned"])
async def test_what_a_handler_asks_for_is_neither_a_success_nor_an_error(
    bench: Bench, ask: Exception, *, raised: bool
) -> None:
    seen = watch(bench)

    async def on_the_loop(session: AsyncSession = inject()) -> Any:
        del session
        return a_handler()

    def a_handler() -> Any:
        if raised:
            raise ask
        return ask

    for handler in (on_the_loop, a_handler):
        await bench.soniq.enqueue(bench.task(retries=1)(handler))
    await bench.run_once()
    assert {one[0] for one in seen} == {"before"}
    assert len(seen) == 2
    assert not bench.events_of(HookFailed)


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_after_job_comes_after_the_commit_of_the_handlers_session(
    bench: Bench, *, is_async: bool
) -> None:
    committed: list[Any] = []

    @bench.soniq.after_job
    async def look(ctx: JobContext, result: object) -> None:
        committed.append((await bench.effects(), (await bench.row(ctx.job_id)).state, result))

    async def writing(session: AsyncSession = inject()) -> str:
        session.add(Effect(note="written"))
        return "result"

    def writing_in_a_thread(session: Session = inject()) -> str:
        session.add(Effect(note="written"))
        return "result"

    await bench.soniq.enqueue(bench.task()(writing if is_async else writing_in_a_thread))
    await bench.run_once()
    assert committed == [(["written"], "done", "result")]


async def test_an_after_job_hook_that_hangs_is_cancelled_with_its_attempt(bench: Bench) -> None:
    cancelled: list[str] = []
    told: list[BaseException] = []
    bench.soniq.on_error(lambda _, error: told.append(error))

    @bench.soniq.after_job
    async def hang(ctx: JobContext, _result: object) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(ctx.task)
            raise

    @bench.task()
    async def writing(session: AsyncSession = inject()) -> None:
        session.add(Effect(note="written"))

    plain = await bench.soniq.enqueue(bench.task(timeout=0.1, retries=0)(a_task))
    kept = await bench.soniq.enqueue(writing.options(timeout=1))  # it has to connect first
    async with bench.worker():
        row = await bench.until_state(plain, "dead")
        await bench.until(lambda: len(cancelled) == 2, "both hooks to be cancelled")
    assert row.reason == "timed out"
    assert sorted(cancelled) == ["a_task", "writing"]
    assert [type(one) for one in told] == [JobTimeoutError]
    row = await bench.row(kept)
    assert (row.state, row.claims) == ("done", 1)
    assert not bench.events_of(HookFailed)


async def test_a_before_job_hook_that_hangs_is_cancelled_with_its_attempt(bench: Bench) -> None:
    @bench.soniq.before_job
    async def hang(_ctx: JobContext) -> None:
        await asyncio.Event().wait()

    handle = await bench.soniq.enqueue(bench.task(timeout=0.1, retries=0)(a_task))
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert row.reason == "timed out"


async def test_an_attempt_that_took_too_long_is_told_to_hooks_that_may_take_their_time(
    bench: Bench,
) -> None:
    told: list[BaseException] = []

    @bench.soniq.on_error
    async def slow(_ctx: JobContext, error: BaseException) -> None:
        await asyncio.sleep(0.3)
        told.append(error)

    @bench.task(timeout=0.1, retries=0)
    async def task() -> None:
        await asyncio.Event().wait()

    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert row.reason == "timed out"
    assert [type(one) for one in told] == [JobTimeoutError]


async def test_a_slow_on_error_hook_does_not_make_a_timeout_of_another_failure(
    bench: Bench,
) -> None:
    @bench.soniq.on_error
    async def slow(_ctx: JobContext, _error: BaseException) -> None:
        await asyncio.sleep(0.3)

    handle = await bench.soniq.enqueue(bench.task(timeout=0.1, retries=0)(fail))
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
    assert row.reason == "retries exhausted"
    assert "ValueError" in row.error


async def test_on_error_hooks_that_hang_are_ended_and_reported(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "_LAST_WORD", 0.1)
    told: list[str] = []

    @bench.soniq.on_error
    async def hang(_ctx: JobContext, _error: BaseException) -> None:
        await asyncio.Event().wait()

    bench.soniq.on_error(lambda ctx, _: told.append(ctx.task))
    handle = await bench.soniq.enqueue(bench.task(retries=0, timeout=0)(fail))
    async with bench.worker():
        await bench.until_state(handle, "dead")
    (failed,) = bench.events_of(HookFailed)
    assert failed.hook.endswith("hang")
    assert "TimeoutError" in failed.error
    assert told == ["fail"]


async def test_a_job_that_goes_back_because_the_worker_leaves_is_not_told(bench: Bench) -> None:
    seen = watch(bench)
    started = asyncio.Event()

    @bench.task()
    async def task() -> None:
        started.set()
        await asyncio.Event().wait()

    handle = await bench.soniq.enqueue(task)
    async with bench.worker():
        await asyncio.wait_for(started.wait(), 5)
    row = await bench.row(handle)
    assert (row.state, row.attempts) == ("queued", 0)
    assert seen == [("before", "task")]


async def test_a_job_is_done_if_the_worker_leaves_during_its_after_job_hook(bench: Bench) -> None:
    started = asyncio.Event()

    @bench.soniq.after_job
    async def hang(_ctx: JobContext, _result: object) -> None:
        started.set()
        await asyncio.Event().wait()

    handle = await bench.soniq.enqueue(bench.task()(a_task))
    async with bench.worker():
        await asyncio.wait_for(started.wait(), 5)
    assert (await bench.row(handle)).state == "done"


async def test_a_job_that_belongs_to_another_worker_by_now_is_not_told(bench: Bench) -> None:
    seen = watch(bench)
    lost: list[BaseException] = []

    @bench.soniq.middleware
    async def look(_ctx: JobContext, call_next: CallNext) -> None:
        try:
            await call_next()
        except LeaseLostError as error:
            lost.append(error)

    @bench.task()
    async def task(session: AsyncSession = inject()) -> None:
        session.add(Effect(note="lost"))
        await bench.rows("UPDATE soniq_jobs SET claims = claims + 1")

    await bench.soniq.enqueue(task)
    async with bench.worker():
        await bench.until(lambda: bool(lost), "the loss to be noticed")
    assert seen == [("before", "task")]
    assert await bench.effects() == []


async def test_events_are_told_as_without_hooks(bench: Bench) -> None:
    watch(bench)

    @bench.task()
    async def snoozing() -> Snooze:
        return Snooze(60)

    for task in (bench.task()(a_task), bench.task(retries=0)(fail), snoozing):
        await bench.soniq.enqueue(task)
    await bench.run_once()
    for kind in (JobsDone, JobFailed, JobSnoozed):
        assert len(bench.events_of(kind)) == 1


async def test_two_applications_share_no_hooks(bench: Bench, url: str) -> None:
    other = Bench(url)
    seen = watch(bench)
    await other.soniq.enqueue(other.task()(a_task))
    await other.run_once()
    await other.engine.dispose()
    assert seen == []


@pytest.mark.parametrize("early", [True, False], ids=["beside others", "alone"])
async def test_a_hook_that_is_registered_late_is_for_the_next_worker(
    bench: Bench, *, early: bool
) -> None:
    first = watch(bench) if early else []
    task = bench.task()(a_task)
    async with bench.worker():
        seen = watch(bench)
        await bench.until_state(await bench.soniq.enqueue(task), "done")
        assert seen == []
    async with bench.worker():
        await bench.until_state(await bench.soniq.enqueue(task), "done")
    assert len(seen) == 2
    assert len(first) == 4 * early


async def test_without_hooks_a_handler_has_nothing_around_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Parts] = []
    make = Parts.__init__

    def keep(parts: Parts, *args: Any, **kwargs: Any) -> None:
        make(parts, *args, **kwargs)
        made.append(parts)

    monkeypatch.setattr(Parts, "__init__", keep)
    task = bench.task()(a_task)
    async with bench.worker():
        pass
    watch(bench)
    async with bench.worker():
        pass
    bare, surrounded = (parts.runner.handlers["a_task"] for parts in made)
    assert type(bare) is AsyncHandler
    assert bare.task is task
    assert isinstance(surrounded, surroundings.SurroundedHandler)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", NO_HOOKS)
def test_what_cannot_be_called_as_a_hook_is_refused(bench: Bench, kind: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"@soniq.{kind} takes a function .*\(ctx"):
        getattr(bench.soniq, kind)(NO_HOOKS[what])
