"""Dead letters in every kind of session, in other tables, in programs without an event loop."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import MetaData, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from soniq_sa import SessionTypeError, Soniq
from soniq_sa.engines import make_async_engine, make_sync_engine
from soniq_sa.models import include_tables
from tests.dead_letters.models import Base, Job
from tests.dead_letters.office import LONG_AGO, Office


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
async def test_a_sync_session_has_the_same_verbs_without_await(office: Office, driver: str) -> None:
    first, second, third = await office.add(3)
    engine = create_engine(make_url(office.url).set(drivername=f"postgresql+{driver}"))
    soniq = Soniq(Base.metadata, engine=engine)
    async with office.listening() as heard:
        with sessionmaker(engine).begin() as session:
            desk = soniq.dead_letters.within(session)
            assert [one.id for one in desk.list(error="NO", tags=())] == [third, second, first]
            new_id = desk.replay(first)
            assert desk.replay_many(limit=1) == 1
            assert desk.tag(third, "a") == ("a",)
            assert len(desk.list(tags=["a"], since=10**9)) == 1
            assert desk.stats().replays == 2
            assert desk.delete(third) == 1
            assert desk.get(third) is None
            assert "".join(desk.export("csv")).count("\r\n") == 3
            assert not heard
            assert not await office.fresh()
        await office.until(lambda: heard)
    assert new_id in {row.id for row in await office.fresh()}
    with sessionmaker(engine).begin() as session:
        desk = soniq.dead_letters.within(scoped_session(lambda: session))  # type: ignore[arg-type, return-value]
        assert desk.delete(reason="retries exhausted", limit=1) == 1
        assert desk.purge(older_than=0) == 1
    engine.dispose()


async def test_an_application_with_sync_engines_has_dead_letters(office: Office) -> None:
    dead_id = await office.one()
    engine = make_sync_engine(office.url)
    soniq = Soniq(Base.metadata, engine=engine)
    await soniq.dead_letters.replay(dead_id)
    await soniq.databases.dispose()
    with Session(engine) as session, session.begin():
        assert await soniq.dead_letters.replay_many(replayed=None, session=session) == 1
    engine.dispose()
    assert len(await office.fresh()) == 2


async def test_every_kind_of_async_session_takes_part(office: Office) -> None:
    dead_id = await office.one()
    plain = async_sessionmaker(office.engine, class_=AsyncSession)
    scoped = async_scoped_session(plain, scopefunc=lambda: None)
    for session in (plain(), office.sessions(), scoped):
        async with office.listening() as heard:
            await office.letters.replay(dead_id, session=session)
            before = len(await office.fresh())
            await session.commit()
            await session.close()
            assert len(await office.fresh()) == before + 1
            await office.until(lambda: heard)


async def test_what_waits_in_the_session_is_flushed_first(office: Office) -> None:
    async with office.sessions() as session:
        session.add(Job(task="send", state="dead", finished_at=LONG_AGO))
        (letter,) = await office.letters.list(session=session)
        assert letter.task == "send"


async def test_what_is_no_session_is_refused(office: Office) -> None:
    for wrong in (office.engine, "session", 5):
        given: Any = wrong
        with pytest.raises(SessionTypeError):
            await office.letters.list(session=given)


@pytest.mark.parametrize(
    "options", [{"schema": "work"}, {"prefix": "bg_"}, {"schema": "work", "prefix": "bg_"}]
)
@pytest.mark.parametrize("notify", ["after_commit", "trigger"])
async def test_other_tables_have_dead_letters_of_their_own(
    database_url: str, options: dict[str, Any], notify: Any
) -> None:
    metadata = MetaData()
    include_tables(metadata, notify=notify, **options)
    engine = make_async_engine(database_url)
    soniq = Soniq(metadata, engine=engine)
    name = soniq.models.jobs.fullname
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE SCHEMA work")
        await connection.run_sync(soniq.create_all)
        await connection.execute(
            text(
                f"INSERT INTO {name} (id, task, state, finished_at) "  # noqa: S608 - a name of this test
                "SELECT gen_random_uuid(), 't', 'dead', now() FROM generate_series(1, 1200)"
            )
        )
    assert await soniq.dead_letters.replay_many() == 1_200
    assert (await soniq.dead_letters.stats()).replayed == 1_200
    assert await soniq.dead_letters.purge(older_than=0) == 1_200
    assert await soniq.dead_letters.list() == []
    await engine.dispose()
