"""``before_enqueue``: what it sees, the headers it adds, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from soniq_sa import ConfigurationError, NewJob, OptionError, Soniq, enqueue, enqueue_many
from soniq_sa.hooks import BeforeEnqueue
from tests.session.app import note, ship, soniq
from tests.session.models import Base, Order
from tests.session.variants import Variant


@pytest.fixture(autouse=True)
def no_hooks_are_left() -> Iterator[None]:
    """Take the hooks of a test away again."""
    yield
    soniq.hooks.before_enqueue.clear()


def hook(function: BeforeEnqueue) -> BeforeEnqueue:
    """Register a hook of this test."""
    return soniq.before_enqueue(function)


def headers(variant: Variant) -> list[Any]:
    """Return the stored headers, in the order of the jobs' ids."""
    return [row.headers for row in variant.rows()]


async def test_a_hook_sees_the_task_the_arguments_and_the_options(variant: Variant) -> None:
    seen: list[Any] = []

    @hook
    def look(job: NewJob) -> None:
        seen.append((job.task, dict(job.arguments), job.options.priority, job.options.tags))
        seen.append(dict(job.headers))

    async with variant.session() as session, session.begin():
        session.enqueue(note.options(priority=7, tags=["a"], headers={"b": "c"}), "text")
        assert seen == [("note", {"text": "text"}, 7, ("a",)), {"b": "c"}]
    assert headers(variant) == [{"b": "c"}]


async def test_an_entity_is_seen_as_its_key_once_it_has_one(variant: Variant) -> None:
    seen: list[Any] = []
    hook(lambda job: seen.append(dict(job.arguments)))
    async with variant.session() as session, session.begin():
        order = Order()
        session.add(order)
        session.enqueue(ship, order)
        await session.flush()
        session.enqueue(ship, order)
    assert seen == [{"order": None}, {"order": order.__dict__.get("id", seen[1]["order"])}]
    assert [args["order"] for _, args in variant.jobs()] == [seen[1]["order"]] * 2


async def test_a_hook_adds_headers(variant: Variant) -> None:
    @hook
    def trace(job: NewJob) -> None:
        job.headers["trace"] = "t1"

    @hook
    def tenant(job: NewJob) -> None:
        job.headers["tenant"] = f"{job.headers['trace']}-7"

    async with variant.session() as session, session.begin():
        session.enqueue(note, "a")
        session.enqueue(note.options(headers={"own": "x"}, delay=60), "b")
        enqueue(session if variant.is_async else session.sync_session, note, "c")
    added = {"trace": "t1", "tenant": "t1-7"}
    assert headers(variant) == [added, {"own": "x", **added}, added]
    assert note.defaults.headers is None


async def test_a_hook_refuses_a_job(variant: Variant) -> None:
    @hook
    def refuse(job: NewJob) -> None:
        if job.arguments["text"] == "bad":
            raise PermissionError("not this one")

    async with variant.session() as session, session.begin():
        session.enqueue(note, "good")
        with pytest.raises(PermissionError, match="not this one"):
            session.enqueue(note, "bad")
        assert len(session.new) == 1
    assert variant.jobs() == [("note", {"text": "good"})]


async def test_what_a_hook_does_to_the_arguments_changes_nothing(variant: Variant) -> None:
    @hook
    def meddle(job: NewJob) -> None:
        copy: Any = job.arguments
        with pytest.raises(TypeError):
            copy["text"] = "other"
        dict(copy)["text"] = "other"

    async with variant.session() as session, session.begin():
        session.enqueue(note, "text")
        enqueue_many(session if variant.is_async else session.sync_session, note, [{"text": "x"}])
    assert [args["text"] for _, args in variant.jobs()] == ["text", "x"]


async def test_enqueue_many_shows_each_job_and_shares_one_insert(variant: Variant) -> None:
    seen: list[Any] = []

    @hook
    def trace(job: NewJob) -> None:
        seen.append(job.arguments["text"])
        job.headers["trace"] = "t1"

    async with variant.session() as session, session.begin():
        with variant.statements() as statements:
            handles = session.enqueue_many(note, [{"text": str(n)} for n in range(5)])
            assert seen == ["0", "1", "2", "3", "4"]
            await session.flush()
        assert sum(one.startswith("INSERT") for one in statements) == 1
    assert headers(variant) == [{"trace": "t1"}] * 5
    assert [row.id for row in variant.rows()] == [handle.id for handle in handles]


async def test_enqueue_many_keeps_the_headers_of_each_job(variant: Variant) -> None:
    @hook
    def parity(job: NewJob) -> None:
        job.headers["odd"] = str(int(job.arguments["text"]) % 2)

    async with variant.session() as session, session.begin():
        handles = session.enqueue_many(note, [{"text": str(n)} for n in range(4)])
    rows = variant.rows()
    assert [row.id for row in rows] == [handle.id for handle in handles]
    assert [(row.args["text"], row.headers["odd"]) for row in rows] == [
        *(("0", "0"), ("1", "1"), ("2", "0"), ("3", "1")),
    ]


async def test_enqueue_many_adds_none_if_one_is_refused(variant: Variant) -> None:
    @hook
    def refuse(job: NewJob) -> None:
        if job.arguments["text"] == "2":
            raise PermissionError

    async with variant.session() as session, session.begin():
        with pytest.raises(PermissionError):
            session.enqueue_many(note, [{"text": str(n)} for n in range(4)])
    assert variant.jobs() == []


async def test_a_rollback_takes_all_batches_of_enqueue_many_with_it(variant: Variant) -> None:
    hook(lambda job: job.headers.update(text=job.arguments["text"]))
    async with variant.session() as session:
        await session.begin() if variant.is_async else session.begin()
        session.enqueue_many(note, [{"text": str(n)} for n in range(3)])
        await session.rollback()
    assert variant.jobs() == []


async def test_a_standalone_enqueue_passes_the_hooks(asyncpg: Variant) -> None:
    own = Soniq(Base.metadata, engine=asyncpg.engine)

    @own.job(name="own")
    async def task() -> None:
        """Never run."""

    @own.before_enqueue
    def trace(job: NewJob) -> None:
        job.headers["trace"] = "t1"

    await own.enqueue(task)
    assert headers(asyncpg) == [{"trace": "t1"}]
    await own.databases.dispose()


async def test_hooks_are_those_of_the_tasks_own_application(psycopg: Variant) -> None:
    hook(lambda job: job.headers.update(by="the other"))
    own = Soniq(Base.metadata)

    @own.job(name="own")
    def task() -> None:
        """Never run."""

    async with psycopg.session() as session, session.begin():
        session.enqueue(task)
    assert headers(psycopg) == [None]


@pytest.mark.parametrize("value", [7, "a\0b", "x" * 10_000])
async def test_a_header_that_cannot_be_stored_is_refused(psycopg: Variant, value: Any) -> None:
    hook(lambda job: job.headers.update(bad=value))
    async with psycopg.session() as session, session.begin():
        with pytest.raises(OptionError, match="headers"):
            session.enqueue(note, "a")
    assert psycopg.jobs() == []


async def awaited(job: NewJob) -> None:
    """Want to be awaited."""
    del job


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (awaited, "nothing is awaited"),
        (lambda: None, r"with the parameters \(job\)"),
        ("hook", r"with the parameters \(job\)"),
    ],
)
def test_what_cannot_be_a_hook_is_refused(bad: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        soniq.before_enqueue(bad)
