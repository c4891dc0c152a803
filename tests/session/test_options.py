"""What a job is given beside its arguments is stored alike by every way to enqueue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, cast, create_engine, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.pool import NullPool

from soniq_sa import OptionError, Priority, Soniq, UnknownOptionError, enqueue, enqueue_many
from tests.session.app import note, ship
from tests.session.models import Base, Job, Order
from tests.session.variants import Variant

WAYS = ("method", "function", "many", "function many", "own transaction")
HOUR = timedelta(hours=1)
EVERY: dict[str, Any] = {
    "queue": "bulk",
    "priority": Priority.HIGH,
    "retries": 7,
    "timeout": 0.5,
    "expires_in": 3600,
    "tags": ["billing", "späť 🎈"],
    "headers": {"traceparent": "00-ab", "user": 'O"Hara\n'},
    "columns": {"tenant_id": 42},
}


async def enqueue_by(way: str, variant: Variant, task: Any) -> Row[Any]:
    """Enqueue and commit one job in one of the ways, and return its row."""
    if way == "own transaction":
        await enqueue_alone(variant, task)
    else:
        async with variant.session() as session:
            plain = session if variant.is_async else session.sync_session
            match way:
                case "method":
                    session.enqueue(task, "a")
                case "function":
                    enqueue(plain, task, "a")
                case "many":
                    session.enqueue_many(task, [{"text": "a"}])
                case _:
                    enqueue_many(plain, task, [{"text": "a"}])
            await session.commit()
    (row,) = variant.rows()
    return row


async def enqueue_alone(variant: Variant, task: Any) -> None:
    """Enqueue a job in a transaction of its own."""
    soniq = Soniq(Base.metadata, engine=variant.engine)
    if variant.is_async:
        await soniq.enqueue(task, "a")
    else:
        soniq.enqueue_sync(task, "a")


@pytest.mark.parametrize("way", WAYS)
async def test_every_option_reaches_its_column(variant: Variant, way: str) -> None:
    row = await enqueue_by(way, variant, note.options(**EVERY))
    assert (row.queue, row.priority, row.max_attempts, row.timeout) == ("bulk", 50, 8, 0.5)
    assert (row.tags, row.headers) == (EVERY["tags"], EVERY["headers"])
    assert row.tenant_id == 42
    assert (row.state, row.run_at) == ("queued", row.created_at)
    assert row.expires_at - row.created_at == HOUR
    assert row.args == {"text": "a"}


@pytest.mark.parametrize("way", WAYS)
async def test_a_plain_job_has_none_of_them(variant: Variant, way: str) -> None:
    row = await enqueue_by(way, variant, note)
    assert (row.priority, row.max_attempts) == (100, 4)
    assert [row.expires_at, row.timeout, row.tags, row.headers, row.tenant_id] == [None] * 5
    assert [row.result, row.replay_of, row.replays] == [None] * 3


@pytest.mark.parametrize("column", ["tags", "headers", "result"])
@pytest.mark.parametrize("way", ["method", "many"])
async def test_what_is_not_given_is_null_in_the_database_not_a_json_null(
    variant: Variant, way: str, column: str
) -> None:
    await enqueue_by(way, variant, note)
    assert len(variant.rows(f"SELECT 1 FROM soniq_jobs WHERE {column} IS NULL")) == 1  # noqa: S608


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("priority", list(Priority), ids=lambda one: one.name)
async def test_a_named_priority_is_its_number(
    variant: Variant, way: str, priority: Priority
) -> None:
    row = await enqueue_by(way, variant, note.options(priority=priority))
    assert (row.priority, type(row.priority)) == (priority.value, int)


@pytest.mark.parametrize("way", WAYS)
async def test_an_expiry_counts_from_the_transaction_whatever_else_is_given(
    variant: Variant, way: str
) -> None:
    row = await enqueue_by(way, variant, note.options(expires_in=2 * HOUR, delay=3600))
    assert row.expires_at - row.created_at == 2 * HOUR
    assert (row.state, row.run_at - row.created_at) == ("scheduled", HOUR)


@pytest.mark.parametrize("way", WAYS)
async def test_an_expiry_counts_by_the_clock_of_the_database(
    variant: Variant, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(datetime):
        """Tells the time of long ago."""

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime(2020, 1, 1, tzinfo=tz)

    monkeypatch.setattr("soniq_sa.session.unit_of_work.datetime", Slow)
    row = await enqueue_by(way, variant, note.options(expires_in=60))
    now = variant.rows("SELECT now() AS now")[0].now
    assert timedelta(0) < row.expires_at - now <= timedelta(minutes=1)


async def test_an_expiry_goes_with_an_entity_that_has_no_key_yet(variant: Variant) -> None:
    task = ship.options(expires_in=60, tags=["new"])
    async with variant.session() as session:
        order, other = Order(), Order()
        session.add_all([order, other])
        session.enqueue(task, order)
        session.enqueue_many(task, [{"order": order}, {"order": other}])
        await session.commit()
    rows = variant.rows()
    assert len(rows) == 3
    for row in rows:
        assert row.args["order"] > 0
        assert (row.tags, row.expires_at - row.created_at) == (["new"], timedelta(minutes=1))


async def test_jobs_of_one_flush_keep_options_of_their_own(variant: Variant) -> None:
    given: list[dict[str, Any]] = [
        {},
        {"tags": ["a"]},
        {"headers": {"k": "v"}},
        {"timeout": 0},
        {"expires_in": 60},
        {"columns": {"tenant_id": 7}},
        {"tags": ["b", "c"], "timeout": 9, "columns": {"tenant_id": 8}},
    ]
    async with variant.session() as session:
        for number, options in enumerate(given * 3):
            session.enqueue(note.options(**options), str(number))
        await session.commit()
    rows = sorted(variant.rows(), key=lambda row: int(row.args["text"]))
    for row, options in zip(rows, given * 3, strict=True):
        lasts = row.expires_at and (row.expires_at - row.created_at).total_seconds()
        found = (row.tags, row.headers, row.timeout, lasts, row.tenant_id)
        tenant = options.get("columns", {}).get("tenant_id")
        others = [options.get(name) for name in ("tags", "headers", "timeout", "expires_in")]
        assert found == (*others, tenant)


def mixed(number: int) -> Any:
    """Return a task with other options for every number."""
    options: list[dict[str, Any]] = [
        {},
        {"tags": [f"tag-{number}"]},
        {"headers": {"number": str(number)}},
        {"timeout": number},
        {"retries": number, "priority": Priority.LOW},
        {"columns": {"tenant_id": number}},
        {"tags": ["a"], "headers": {"b": "c"}, "columns": {"tenant_id": 1}, "timeout": 1},
    ]
    return note.options(**options[number % len(options)])


async def test_1000_jobs_with_mixed_options_take_one_insert(variant: Variant) -> None:
    async with variant.session() as session:
        with variant.statements() as statements:
            for number in range(1_000):
                session.enqueue(mixed(number), str(number))
            await session.commit()
    assert [one.split()[0] for one in statements] == ["INSERT"]
    assert len(variant.rows()) == 1_000


async def test_expiries_of_1000_jobs_take_one_statement_more(variant: Variant) -> None:
    async with variant.session() as session:
        with variant.statements() as statements:
            for number in range(1_000):
                task = mixed(number)
                session.enqueue(task.options(expires_in=number) if number % 2 else task, "a")
            await session.commit()
    assert [one.split()[0] for one in statements] == ["INSERT", "UPDATE"]
    assert len([row for row in variant.rows() if row.expires_at]) == 500


async def test_many_jobs_with_every_option_take_one_insert(variant: Variant) -> None:
    async with variant.session() as session:
        with variant.statements() as statements:
            session.enqueue_many(note.options(**EVERY), [{"text": str(n)} for n in range(1_000)])
            await session.commit()
    assert [one.split()[0] for one in statements] == ["INSERT"]
    assert {(row.tenant_id, tuple(row.tags), row.timeout) for row in variant.rows()} == {
        (42, tuple(EVERY["tags"]), 0.5)
    }


async def test_the_row_shows_its_options_before_and_after_the_flush(variant: Variant) -> None:
    async with variant.session() as session:
        row = session.enqueue(note.options(**EVERY), "a").row
        assert (row.tags, row.timeout, row.tenant_id) == (EVERY["tags"], 0.5, 42)
        await session.flush()
        assert (row.tags, row.timeout, row.tenant_id) == (EVERY["tags"], 0.5, 42)
        await session.refresh(row)
        assert row.expires_at - row.created_at == HOUR


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"unique": True}, UnknownOptionError),
        ({"columns": {"tenant": 1}}, UnknownOptionError),
        ({"columns": {"state": "done"}}, OptionError),
        ({"tags": ["a\0b"]}, OptionError),
        ({"headers": {"k": "\ud800"}}, OptionError),
    ],
    ids=str,
)
async def test_what_is_refused_leaves_the_session_as_it_was(
    variant: Variant, options: dict[str, Any], refusal: type[Exception]
) -> None:
    async with variant.session() as session:
        session.enqueue(note, "before")
        with pytest.raises(refusal):
            session.enqueue(note.options(**options), "a")
        await session.commit()
    assert variant.jobs() == [("note", {"text": "before"})]


async def test_the_largest_tags_and_headers_are_stored(variant: Variant) -> None:
    tags = [f"{number:02}{'é' * 62}" for number in range(20)]
    headers = {"k" * 100: "v" * 8092}
    async with variant.session() as session:
        session.enqueue(note.options(tags=tags, headers=headers), "a")
        session.enqueue_many(note.options(tags=tags, headers=headers), [{"text": "b"}])
        await session.commit()
    assert [(row.tags, row.headers) for row in variant.rows()] == [(tags, headers)] * 2


async def test_jobs_are_found_by_tag_and_by_column(variant: Variant) -> None:
    async with variant.session() as session:
        session.enqueue(note.options(tags=["eu", "billing"]), "a")
        session.enqueue(note.options(columns={"tenant_id": 7}), "b")
        await session.commit()
        texts = select(Job.args["text"].as_string())
        tagged = texts.where(cast(Job.tags, JSONB).contains(["eu"]))
        assert list(await session.scalars(tagged)) == ["a"]
        assert list(await session.scalars(texts.where(Job.tenant_id == 7))) == ["b"]


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Any]:
    """Return an engine on a new SQLite file."""
    engine = create_engine(f"sqlite:///{tmp_path}/db", poolclass=NullPool)
    Base.metadata.create_all(engine, tables=[Order.__table__, Job.__table__])
    yield engine
    engine.dispose()


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_sqlite_stores_every_option(sqlite: Any, *, many: bool) -> None:
    soniq = Soniq(Base.metadata, engine=sqlite)
    task = note.options(**EVERY)
    with soniq.databases.given_sync_sessions() as session:
        if many:
            enqueue_many(session, task, [{"text": "a"}, {"text": "b"}])
        else:
            enqueue(session, task, "a")
        session.commit()
        for row in session.execute(select(Job.__table__)):
            assert (row.queue, row.priority, row.max_attempts) == ("bulk", 50, 8)
            assert (row.timeout, row.tags, row.headers) == (0.5, EVERY["tags"], EVERY["headers"])
            assert row.tenant_id == 42
            left = row.expires_at.replace(tzinfo=UTC) - datetime.now(UTC)
            assert timedelta(minutes=59) < left <= HOUR
