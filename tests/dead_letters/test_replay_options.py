"""The fresh job of a replay may have another queue, priority, number of retries and due time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import sessionmaker

from soniq_sa import (
    OptionError,
    Priority,
    ReplayOptions,
    Soniq,
    UnknownOptionError,
    UnknownQueueError,
    Worker,
)
from tests.dead_letters.models import Base
from tests.dead_letters.office import LONG_AGO, PATIENCE, Office

DEAD: dict[str, Any] = {
    "queue": "billing",
    "priority": 5,
    "max_attempts": 9,
    "timeout": 2.5,
    "tags": ["a"],
    "tenant_id": 7,
}
LONG_POLL = 30.0
LATER = datetime(2150, 1, 1, tzinfo=UTC)
Replay = Callable[[ReplayOptions], Awaitable[object]]


def replays(office: Office, dead_id: Any) -> list[Replay]:
    """Return every call that replays."""
    return [
        lambda options: office.letters.replay(dead_id, options=options),
        lambda options: office.letters.replay_many(options=options, replayed=None),
        lambda options: _within(office, "replay", dead_id, options=options),
        lambda options: _within(office, "replay_many", options=options, replayed=None),
    ]


async def _within(office: Office, verb: str, *args: Any, **kwargs: Any) -> None:
    async with office.sessions.begin() as session:
        await session.run_sync(
            lambda sync: getattr(office.letters.within(sync), verb)(*args, **kwargs)
        )


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ({}, {}),
        (None, {}),
        ({"queue": "slow"}, {"queue": "slow", "queue_length": 4}),
        ({"priority": Priority.BATCH}, {"priority": 1000}),
        ({"retries": 0}, {"max_attempts": 1}),
        ({"delay": 0, "retries": 1_000_000}, {"max_attempts": 1_000_001}),
        ({"run_at": LATER}, {"run_at": LATER, "state": "scheduled"}),
        (
            {"queue": "a:b", "priority": 1, "retries": 2, "run_at": LATER},
            {"queue": "a:b", "queue_length": 3, "priority": 1, "max_attempts": 3}
            | {"run_at": LATER, "state": "scheduled"},
        ),
    ],
)
async def test_the_fresh_job_differs_from_the_dead_one_in_what_is_given_only(
    office: Office, options: ReplayOptions | None, changed: dict[str, Any]
) -> None:
    dead_id = await office.one(**DEAD)
    before = await office.values(dead_id)
    plain = await office.values(await office.letters.replay(dead_id))
    other = await office.values(await office.letters.replay(dead_id, options=options))
    own = ("id", "serial", "created_at", *(() if "run_at" in changed else ("run_at",)))
    assert {name for name in own if plain[name] == other[name]} == set()
    assert other == {**plain, **changed, **{name: other[name] for name in own}}
    assert plain["run_at"] == plain["created_at"]
    assert await office.values(dead_id) == {**before, "replays": 2}


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({"delay": 90}, 90.0),
        ({"delay": 0.5}, 0.5),
        ({"delay": timedelta(days=2)}, 172_800.0),
        ({"run_at": 90}, 90.0),
        ({"run_at": timedelta(minutes=1)}, 60.0),
        ({"delay": 0}, 0.0),
        ({"run_at": timedelta(0)}, 0.0),
    ],
)
async def test_a_replay_waits_as_long_as_the_options_say_by_the_clock_of_the_database(
    office: Office, options: ReplayOptions, seconds: float
) -> None:
    dead_id = await office.one()
    for replay in replays(office, dead_id):
        await replay(options)
    fresh = await office.fresh()
    assert len(fresh) == 4
    for row in fresh:
        assert row.run_at - row.created_at == timedelta(seconds=seconds)
        assert row.state == ("scheduled" if seconds else "queued")


async def test_a_time_that_is_past_is_due_at_once(office: Office) -> None:
    new_id = await office.letters.replay(await office.one(), options={"run_at": LONG_AGO})
    row = await office.row(new_id)
    assert (row.state, row.run_at) == ("queued", LONG_AGO)


async def test_workers_are_told_of_the_new_queue_or_of_the_later_time(office: Office) -> None:
    dead_id = await office.one(queue="billing")
    for replay in replays(office, dead_id):
        async with office.listening() as heard:
            await replay({"queue": "slow"})
            await office.until(lambda: heard)
            assert heard == ["slow"]
            await replay({"queue": "slow", "delay": 60})
            await office.until(lambda: len(heard) > 1)
            assert heard == ["slow", "@"]


@asynccontextmanager
async def working(office: Office) -> AsyncIterator[None]:
    worker = Worker(office.soniq, poll_interval=LONG_POLL)
    running = asyncio.create_task(worker.run(handle_signals=False))
    try:
        yield
    finally:
        worker.stop()
        async with asyncio.timeout(PATIENCE):
            await running


async def test_a_worker_that_sleeps_runs_a_later_replay_when_it_is_due(office: Office) -> None:
    seen: list[int] = []

    @office.soniq.job(name="send")
    async def send(number: int) -> None:
        seen.append(number)

    dead_id = await office.one(args={"number": 3})
    async with working(office):
        await office.letters.replay(dead_id)
        await office.until(lambda: len(seen) == 1)
        new_id = await office.letters.replay(dead_id, options={"delay": 0.5, "queue": "default"})
        await office.until(lambda: len(seen) == 2)
    row = await office.row(new_id)
    assert row.claimed_at >= row.run_at


async def test_the_retries_that_are_given_are_those_of_the_fresh_job(office: Office) -> None:
    @office.soniq.job(name="send", retry_delay=0)
    async def send(number: int) -> None:
        raise ValueError(number)

    new_id = await office.letters.replay(await office.one(), options={"retries": 1})
    await Worker(office.soniq, run_once=True).run()
    row = await office.row(new_id)
    assert (row.state, row.reason, row.attempts) == ("dead", "retries exhausted", 2)


async def test_among_many_the_queue_is_a_filter_and_the_option_is_for_the_fresh_jobs(
    office: Office,
) -> None:
    await office.add(1_100, queue="billing")
    await office.add(2, queue="mail")
    options: ReplayOptions = {"queue": "slow", "priority": 900, "delay": 60}
    assert await office.letters.replay_many(queue="billing", options=options) == 1_100
    fresh = await office.fresh()
    assert {(row.queue, row.priority, row.state) for row in fresh} == {("slow", 900, "scheduled")}
    assert len(fresh) == 1_100
    assert (await office.letters.stats(replayed=False)).by_queue == {"mail": 2}


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
async def test_a_sync_session_takes_the_same_options(office: Office, driver: str) -> None:
    dead_id = await office.one(**DEAD)
    engine = create_engine(make_url(office.url).set(drivername=f"postgresql+{driver}"))
    soniq = Soniq(Base.metadata, engine=engine)
    given: list[ReplayOptions] = [{}, {"queue": "slow", "retries": 0}, {"run_at": LATER}]
    with sessionmaker(engine).begin() as session:
        desk = soniq.dead_letters.within(session)
        for options in given:
            desk.replay(dead_id, options=options)
            desk.replay_many(options=options, limit=1, replayed=None)
    engine.dispose()
    rows = [(one.queue, one.max_attempts, one.state) for one in await office.fresh()]
    assert rows[::2] == rows[1::2]
    assert rows[::2] == [
        ("billing", 9, "queued"),
        ("slow", 1, "queued"),
        ("billing", 9, "scheduled"),
    ]


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ("slow", OptionError, "option 'options' is 'slow'"),
        (5, OptionError, "takes a dict"),
        (True, OptionError, "takes a dict"),
        ([("queue", "slow")], OptionError, "takes a dict"),
        ({1: 2}, OptionError, "text as its keys"),
        (Hostile(), OptionError, "whose repr"),
        ({"queu": "slow"}, UnknownOptionError, "Did you mean 'queue'"),
        ({"max_attempts": 3}, UnknownOptionError, "Did you mean 'retries'"),
        ({"scheduled_at": LATER}, UnknownOptionError, "Did you mean 'run_at'"),
        ({"timeout": 5}, UnknownOptionError, "All else is as in the dead job"),
        ({"columns": {"tenant_id": 1}}, UnknownOptionError, "It takes: queue, priority, retries"),
        ({"": 1}, UnknownOptionError, "no option ''"),
        ({"queue": ""}, OptionError, "cannot name a queue"),
        ({"queue": "a b"}, OptionError, "cannot name a queue"),
        ({"queue": "a\0b"}, OptionError, "cannot name a queue"),
        ({"queue": "x" * 65}, OptionError, "cannot name a queue"),
        ({"queue": "x'; DROP TABLE soniq_jobs; --"}, OptionError, "cannot name a queue"),
        ({"queue": None}, OptionError, "cannot name a queue"),
        ({"queue": Hostile()}, OptionError, "cannot name a queue"),
        ({"priority": 0}, OptionError, "1 to 1000"),
        ({"priority": 1001}, OptionError, "1 to 1000"),
        ({"priority": True}, OptionError, "1 to 1000"),
        ({"priority": 5.0}, OptionError, "1 to 1000"),
        ({"priority": "high"}, OptionError, "1 to 1000"),
        ({"retries": -1}, OptionError, "0 to 1000000"),
        ({"retries": 10**30}, OptionError, "0 to 1000000"),
        ({"retries": None}, OptionError, "0 to 1000000"),
        ({"delay": -1}, OptionError, "0 seconds to ten years"),
        ({"delay": float("nan")}, OptionError, "0 seconds to ten years"),
        ({"delay": float("inf")}, OptionError, "0 seconds to ten years"),
        ({"delay": 10**400}, OptionError, "0 seconds to ten years"),
        ({"delay": timedelta.max}, OptionError, "0 seconds to ten years"),
        ({"delay": "15m"}, OptionError, "takes seconds"),
        ({"delay": LATER}, OptionError, "takes seconds"),
        ({"run_at": datetime(2150, 1, 1)}, OptionError, "naive datetime"),  # noqa: DTZ001 - the point
        ({"run_at": "tomorrow"}, OptionError, "takes seconds"),
        ({"delay": 1, "run_at": LATER}, OptionError, "exclude each other"),
        ({"queue": "slow", "priority": 0}, OptionError, "1 to 1000"),
    ],
)
async def test_options_that_cannot_be_are_refused_before_anything_is_touched(
    office: Office, options: Any, error: type[Exception], said: str
) -> None:
    dead_id = await office.one()
    for replay in replays(office, dead_id):
        with pytest.raises(error, match=said):
            await replay(options)
    assert (await office.row(dead_id)).replays is None
    assert not await office.fresh()


async def test_an_option_among_the_filters_is_told_where_it_belongs(office: Office) -> None:
    given: Any = {"priority": 5}
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: office.letters.replay_many(**given),
        lambda: _within(office, "replay_many", **given),
    ]
    for call in calls:
        with pytest.raises(UnknownOptionError, match=r"options=\{'priority': \.\.\.\}"):
            await call()


@pytest.mark.parametrize(
    ("declared", "refused", "taken"),
    [(["mail"], ["slow", "mails"], ["mail", "default"]), ([], ["emial"], ["slow", "email"])],
)
async def test_an_unknown_queue_is_refused_as_at_enqueue(
    office: Office, declared: list[str], refused: list[str], taken: list[str]
) -> None:
    soniq = office.soniq = Soniq(Base.metadata, engine=office.engine, queues=declared)

    @soniq.job(name="send", queue="email" if not declared else "mail")
    async def send() -> None: ...

    dead_id = await office.one(queue="nobody")
    for replay in replays(office, dead_id):
        for queue in refused:
            with pytest.raises(UnknownQueueError, match=f"No task uses the queue '{queue}'"):
                await replay({"queue": queue})
            with pytest.raises(UnknownQueueError):
                send.options(queue=queue)
        assert not [row for row in await office.fresh() if row.queue in refused]
        for queue in taken:
            await replay({"queue": queue})
    assert {row.queue for row in await office.fresh()} == set(taken)


async def test_without_the_option_a_queue_that_nobody_declares_stays(office: Office) -> None:
    soniq = Soniq(Base.metadata, engine=office.engine, queues=["mail"])
    new_id = await soniq.dead_letters.replay(await office.one(queue="gone"), options={"retries": 1})
    assert (await office.row(new_id)).queue == "gone"
