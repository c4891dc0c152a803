"""One event is one record on one line, whatever jobs have in their names, reasons and errors."""

from __future__ import annotations

import dataclasses
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, get_args, get_type_hints
from uuid import UUID, uuid4

import pytest

from soniq_sa import events
from soniq_sa.events import Event, HookFailed, LoopBlocked, PartFailed, ResourceFailed
from soniq_sa.outcome import Failed
from soniq_sa.runtime.log import log_event
from soniq_sa.states import AttemptOutcome, Reason
from soniq_sa.subscribers import Events
from tests.runtime.bench import Bench
from tests.security.hostile import STORABLE, TEXTS, assert_tame

KINDS = [one for one in vars(events).values() if isinstance(one, type) and issubclass(one, Event)]
WITH_TRACE = (HookFailed, LoopBlocked, PartFailed, ResourceFailed)
FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


@contextmanager
def log_file() -> Iterator[Callable[[], str]]:
    """Log as the command does; return how to read it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(FORMAT))
    logger = logging.getLogger("soniq_sa")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield stream.getvalue
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def made(kind: type[Any], text: str) -> Any:
    """Return an event of which every text is ``text``."""
    hints = get_type_hints(kind)
    return kind(**{one.name: _value(hints[one.name], text) for one in dataclasses.fields(kind)})


def _value(kind: Any, text: str) -> Any:
    kinds = {kind, *get_args(kind)}
    if Failed in kinds:
        return Failed(text, text, AttemptOutcome.FAILED, Reason.GAVE_UP, 1.0)
    if str in kinds:
        return (text, text) if ... in kinds else text
    if UUID in kinds:
        return [uuid4()] if kind is not UUID and type(None) not in kinds else uuid4()
    return True if bool in kinds else 3.0 if float in kinds else 3


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("kind", KINDS[1:], ids=lambda one: one.__name__)
def test_an_event_is_one_line_with_any_text(kind: type[Event], text: str) -> None:
    with log_file() as read:
        log_event(made(kind, text))
        log = read()
    assert log.endswith("\n")
    first, *rest = log[:-1].split("\n")
    assert_tame(log[:-1])
    assert " soniq_sa: " in first
    if issubclass(kind, WITH_TRACE):
        assert rest
        assert all(line.startswith("    | ") for line in rest)
    else:
        assert not rest


def test_every_event_with_text_is_in_the_corpus() -> None:
    assert len(KINDS) > 20
    assert {one.__name__ for one in WITH_TRACE} <= {one.__name__ for one in KINDS}


def test_an_event_is_one_record() -> None:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logger = logging.getLogger("soniq_sa")
    logger.addHandler(handler)
    try:
        log_event(PartFailed("claimer", "Traceback\n  File x\nValueError: no\nmore"))
    finally:
        logger.removeHandler(handler)
    (record,) = records
    assert record.getMessage() == (
        "claimer failed, and tries again: more\n"
        "    | Traceback\n    |   File x\n    | ValueError: no\n    | more"
    )


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_subscriber_that_fails_is_reported_as_tamely(text: str) -> None:
    subscribers = Events()

    @subscribers.subscribe
    def fail(_event: Event) -> None:
        raise ValueError(text)

    with log_file() as read:
        subscribers.emit(made(HookFailed, text))
        assert_tame(read())


async def test_rows_inserted_by_hand_leave_the_log_as_it_should_be(bench: Bench) -> None:
    @bench.task()
    async def task(number: int) -> None:
        raise ValueError(list(STORABLE.values())[number])

    insert = (
        "INSERT INTO soniq_jobs (id, task, queue, reason, max_attempts, args) "
        "VALUES (:id, :task, :queue, :queue, 1, jsonb_build_object('number', CAST(:number AS int)))"
    )
    ids = [uuid4() for _ in STORABLE]
    with log_file() as read:
        for number, text in enumerate(STORABLE.values()):
            named = {"queue": text[:2_000], "number": number}
            await bench.rows(insert, id=ids[number], task="task", **named)
            await bench.rows(insert, id=uuid4(), task=text[:2_000], **named)
        await bench.run_once()
        log = read()
    assert_tame(log)
    failed = [line for line in log.split("\n") if "failed in attempt" in line]
    assert len(failed) == len(ids)
    assert all(any(str(one) in line for line in failed) for one in ids)
