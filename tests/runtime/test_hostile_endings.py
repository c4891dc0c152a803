"""Whatever a handler raises, the end is written within two seconds and nobody else is disturbed."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.runtime.bench import Bench


class UnprintableError(Exception):
    """An error that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Unforeseen(BaseException):
    """An error that `except Exception` does not catch."""


class LyingError(Exception):
    """An error whose text is not text."""

    def __str__(self) -> Any:
        return 42  # noqa: PLE0307 - on purpose


def endings() -> dict[str, Callable[[], BaseException]]:
    """Return what handlers may raise, by name."""
    return {
        "U+0000": lambda: ValueError("before\0after"),
        "lone surrogate": lambda: ValueError("before\ud800after"),
        "five megabytes": lambda: ValueError("x" * 5_000_000),
        "five million lines": lambda: ValueError("\n" * 5_000_000),
        "unprintable": UnprintableError,
        "no text": LyingError,
        "BaseException": lambda: Unforeseen("unforeseen"),
        "CancelledError": asyncio.CancelledError,
        "SystemExit": lambda: SystemExit(3),
        "KeyboardInterrupt": KeyboardInterrupt,
        "StopIteration": lambda: StopIteration(1),
        "StopAsyncIteration": StopAsyncIteration,
        "GeneratorExit": GeneratorExit,
        "ExceptionGroup": lambda: ExceptionGroup("many", [ValueError("a\0b"), TypeError("c")]),
        "BaseExceptionGroup": lambda: BaseExceptionGroup("many", [KeyboardInterrupt("a")]),
        "MemoryError": MemoryError,
        "RecursionError": lambda: deep_chain(),  # noqa: PLW0108 - defined below
    }


def deep_chain() -> BaseException:
    """Return an error with a long chain of causes."""
    error: BaseException = ValueError("the first")
    for number in range(3000):
        following = ValueError(f"number {number}")
        following.__cause__ = error
        error = following
    return error


@pytest.mark.parametrize("ending", endings())
@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_an_ending_is_written_and_neighbours_are_done(
    bench: Bench, kind: str, ending: str
) -> None:
    make = endings()[ending]

    async def hostile_async() -> None:
        raise make()

    def hostile_sync() -> None:
        raise make()

    hostile = bench.task(retries=0)(hostile_async if kind == "async" else hostile_sync)

    @bench.task()
    async def neighbour() -> None:
        pass

    async with bench.sessions.begin() as session:
        before = session.enqueue(neighbour)
        handle = session.enqueue(hostile)
        after = session.enqueue(neighbour)
    async with bench.worker():
        row = await bench.until_state(handle, "dead")
        await bench.until_state(before, "done")
        await bench.until_state(after, "done")
        later = await bench.soniq.enqueue(neighbour)
        await bench.until_state(later, "done")
    assert row.reason == "retries exhausted"
    assert 0 < len(row.error) < 20_000
    if ending in {"U+0000", "lone surrogate"}:
        assert "ValueError: before" in row.error
        assert "after" in row.error
    (attempt,) = await bench.attempts(handle)
    assert attempt.error == row.error


async def test_hostile_endings_of_one_batch_do_not_disturb_each_other(bench: Bench) -> None:
    makers = endings()

    @bench.task(retries=0)
    async def hostile(name: str) -> None:
        error = makers[name]()
        raise error

    @bench.task()
    async def fine() -> None:
        pass

    async with bench.sessions.begin() as session:
        bad = session.enqueue_many(hostile, [{"name": name} for name in makers])
        good = session.enqueue_many(fine, [{}] * 20)
    async with bench.worker(concurrency=50):
        for handle in good:
            await bench.until_state(handle, "done")
        for handle in bad:
            await bench.until_state(handle, "dead")


@pytest.mark.parametrize("result", ["a\0b", float("nan"), object(), b"\xff", "x" * 5_000_000])
async def test_whatever_a_handler_returns_the_job_is_done(bench: Bench, result: Any) -> None:
    @bench.task()
    async def returning() -> Any:
        return result

    @bench.task()
    def returning_sync() -> Any:
        return result

    handles = [await bench.soniq.enqueue(task) for task in (returning, returning_sync)]
    async with bench.worker():
        for handle in handles:
            await bench.until_state(handle, "done")
