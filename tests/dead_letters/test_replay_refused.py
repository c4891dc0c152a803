"""A replay that violates a constraint of the user's names it, and takes nothing else with it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.orm import sessionmaker

from soniq_sa import ReplayRefusedError, Soniq
from soniq_sa.dead_letters.passage import BATCH, MOST_REFUSED
from tests.dead_letters.models import Base, Report
from tests.dead_letters.office import Office

ALIVE = "state NOT IN ('done', 'cancelled', 'dead')"
ONE_ALIVE = f"CREATE UNIQUE INDEX ux_tenant ON soniq_jobs (tenant_id) WHERE {ALIVE}"
COUNTS_THE_DEAD = "CREATE UNIQUE INDEX ux_tenant ON soniq_jobs (tenant_id)"


async def taken(office: Office, *tenants: int) -> None:
    """Commit jobs that wait, and have the values of these tenants."""
    for tenant in tenants:
        await office.one(state="queued", finished_at=None, tenant_id=tenant)


async def untouched(office: Office, dead_id: UUID) -> bool:
    """Tell whether a dead job was not replayed."""
    return (await office.row(dead_id)).replays is None and not await office.fresh()


@pytest.mark.parametrize("index", [ONE_ALIVE, COUNTS_THE_DEAD])
async def test_the_error_names_the_index_the_value_and_what_to_do(
    office: Office, index: str
) -> None:
    await office.rows(index)
    dead_id = await office.one(tenant_id=7)
    if index == ONE_ALIVE:
        await taken(office, 7)
    with pytest.raises(ReplayRefusedError) as caught:
        await office.letters.replay(dead_id, options={"queue": "slow"})
    message = str(caught.value)
    assert message.startswith(f"The dead letter {dead_id} cannot be replayed: ")
    assert 'unique constraint "ux_tenant". Key (tenant_id)=(7) already exists.' in message
    assert 'postgresql_where=Job.state != "dead"' in message
    assert message.endswith("[D04]")
    assert (caught.value.replayed, caught.value.refused) == (0, (dead_id,))
    assert isinstance(caught.value.__cause__, IntegrityError)
    assert await untouched(office, dead_id)


OURS = "ALTER TABLE soniq_jobs ADD CONSTRAINT"
CONSTRAINTS = {
    "check": (
        f"{OURS} ck_mine CHECK (state = 'dead' OR queue <> 'default')",
        'violates check constraint "ck_mine".',
        "or the options of the replay",
    ),
    "foreign key": (
        f"{OURS} fk_mine FOREIGN KEY (tenant_id) REFERENCES reports NOT VALID",
        '"fk_mine". Key (tenant_id)=(7) is not present in table "reports".',
        "change them in its row",
    ),
    "exclusion": (
        f"{OURS} ex_mine EXCLUDE (tenant_id WITH =)",
        'exclusion constraint "ex_mine". Key (tenant_id)=(7) conflicts with',
        "leave them out",
    ),
    "deferred": (
        f"{OURS} ux_mine UNIQUE (tenant_id) DEFERRABLE INITIALLY DEFERRED",
        'unique constraint "ux_mine". Key (tenant_id)=(7) already exists.',
        "leave them out",
    ),
    "trigger": (
        "CREATE TRIGGER mine BEFORE INSERT ON soniq_jobs FOR EACH ROW EXECUTE FUNCTION refuse()",
        "tenants are closed.",
        "change them in its row",
    ),
}
REFUSE = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE check_violation USING MESSAGE = 'tenants are closed'; END $$
"""


@pytest.mark.parametrize("kind", list(CONSTRAINTS))
async def test_every_kind_of_constraint_is_told(office: Office, kind: str) -> None:
    constraint, said, advice = CONSTRAINTS[kind]
    dead_id = await office.one(tenant_id=7)
    await office.rows(REFUSE)
    await office.rows(constraint)
    calls: list[Callable[[], Any]] = [
        lambda: office.letters.replay(dead_id),
        office.letters.replay_many,
    ]
    for call in calls:
        with pytest.raises(ReplayRefusedError) as caught:
            await call()
        assert said in str(caught.value)
        assert advice in str(caught.value)
        assert caught.value.refused == (dead_id,)
        assert await untouched(office, dead_id)


async def test_what_the_message_shows_of_a_value_has_an_end(office: Office) -> None:
    await office.rows('CREATE UNIQUE INDEX ux_customer ON soniq_jobs ("customer name")')
    dead_id = await office.one(**{"customer name": "x" * 2_000})
    with pytest.raises(ReplayRefusedError, match=r"x…") as caught:
        await office.letters.replay(dead_id)
    assert len(str(caught.value)) < 1_000


async def test_what_a_check_says_does_not_show_the_row(office: Office) -> None:
    dead_id = await office.one(tenant_id=7, args={"card": "4111"}, tags=["secret"])
    await office.rows(CONSTRAINTS["check"][0])
    with pytest.raises(ReplayRefusedError) as caught:
        await office.letters.replay(dead_id)
    assert "secret" not in str(caught.value)
    assert "4111" not in str(caught.value)


async def test_options_may_be_what_the_constraint_takes(office: Office) -> None:
    dead_id = await office.one()
    await office.rows(CONSTRAINTS["check"][0])
    await office.letters.replay(dead_id, options={"queue": "slow"})
    assert await office.letters.replay_many(replayed=True, options={"queue": "slow"}) == 1


async def test_an_index_that_leaves_dead_jobs_out_lets_them_be_replayed(office: Office) -> None:
    await office.rows("CREATE UNIQUE INDEX ux ON soniq_jobs (tenant_id) WHERE state <> 'dead'")
    await office.add(2, tenant_id=7)
    first, _ = [one.id for one in await office.letters.list(oldest_first=True)]
    await office.letters.replay(first)
    with pytest.raises(ReplayRefusedError, match="another job has the value"):
        await office.letters.replay(first)


async def test_of_many_all_others_are_replayed_and_stay(office: Office) -> None:
    await office.rows(ONE_ALIVE)
    dead_ids: list[UUID] = []
    for tenant in range(7):
        dead_ids += await office.add(300)
        dead_ids.append(await office.one(tenant_id=tenant))
    order = [one.id for one in await office.letters.list(limit=5_000, oldest_first=True)]
    await taken(office, 1, 3, 4)
    refused = [dead_ids[index * 301 + 300] for index in (1, 3, 4)]
    with pytest.raises(ReplayRefusedError) as caught:
        await office.letters.replay_many(options={"priority": 900})
    message = str(caught.value)
    assert "Dead letters replayed: 2104 (they stay so); refused by ux_tenant: 3." in message
    assert "Key (tenant_id)=(" in message
    assert "It stopped" not in message
    assert caught.value.replayed == 2_104
    assert set(caught.value.refused) == set(refused)
    assert f"The first is {caught.value.refused[0]}:" in message
    fresh = await office.fresh()
    assert [row.replay_of for row in fresh] == [one for one in order if one not in refused]
    assert {row.priority for row in fresh} == {900}
    assert {(await office.row(one)).replays for one in refused} == {None}
    await office.rows(
        "UPDATE soniq_jobs SET state = 'done' WHERE replay_of IS NULL AND state = 'queued'"
    )
    assert await office.letters.replay_many() == 3


async def test_of_two_with_the_same_value_the_one_that_died_first_is_replayed(
    office: Office,
) -> None:
    await office.rows(ONE_ALIVE)
    first, *rest = await office.add(4, tenant_id=7)
    with pytest.raises(ReplayRefusedError) as caught:
        await office.letters.replay_many()
    assert (caught.value.replayed, caught.value.refused) == (1, tuple(rest))
    assert [row.replay_of for row in await office.fresh()] == [first]


async def test_what_was_refused_does_not_count_for_the_limit(office: Office) -> None:
    await office.rows(ONE_ALIVE)
    await taken(office, 7)
    refused, *others = [await office.one(tenant_id=tenant) for tenant in (7, 8, 9, 10)]
    await office.rows("UPDATE soniq_jobs SET finished_at = created_at WHERE state = 'dead'")
    with pytest.raises(ReplayRefusedError) as caught:
        await office.letters.replay_many(limit=2)
    assert (caught.value.replayed, caught.value.refused) == (2, (refused,))
    assert [row.replay_of for row in await office.fresh()] == others[:2]


async def test_where_none_can_be_replayed_it_stops_after_a_hundred(office: Office) -> None:
    await office.add(MOST_REFUSED + 50, tenant_id=7)
    await office.rows(CONSTRAINTS["check"][0])
    with pytest.raises(ReplayRefusedError, match="It stopped after 100 of them") as caught:
        await office.letters.replay_many()
    assert (caught.value.replayed, len(caught.value.refused)) == (0, MOST_REFUSED)
    assert not await office.fresh()


async def test_batches_grow_again_behind_what_was_refused(office: Office) -> None:
    await office.rows(ONE_ALIVE)
    await taken(office, 7)
    await office.one(tenant_id=7)
    await office.rows("UPDATE soniq_jobs SET finished_at = '2019-01-01' WHERE state = 'dead'")
    await office.add(5 * BATCH)
    with pytest.raises(ReplayRefusedError) as caught:
        await office.letters.replay_many()
    assert caught.value.replayed == 5 * BATCH
    (row,) = await office.rows(
        "SELECT count(DISTINCT created_at) FROM soniq_jobs WHERE replay_of IS NOT NULL"
    )
    assert row[0] < 20, "each transaction has a time of its own"


async def test_workers_are_told_of_those_that_were_replayed_only(office: Office) -> None:
    await office.rows(ONE_ALIVE)
    await taken(office, 7)
    await office.one(tenant_id=7, queue="refused")
    await office.one(tenant_id=8, queue="a")
    async with office.listening() as heard:
        with pytest.raises(ReplayRefusedError):
            await office.letters.replay_many()
        await office.letters.replay(await office.one(queue="marker"))
        await office.until(lambda: "marker" in ",".join(heard))
    assert set(",".join(heard).split(",")) == {"a", "marker"}


async def test_in_a_session_the_error_comes_at_once_and_nothing_is_kept(office: Office) -> None:
    await office.rows(ONE_ALIVE)
    await taken(office, 7)
    good = await office.one(tenant_id=8)
    bad = await office.one(tenant_id=7)
    async with office.sessions() as session:
        with pytest.raises(ReplayRefusedError, match=str(bad)):
            await office.letters.replay(bad, session=session)
        await session.rollback()
        await office.letters.replay(good, session=session)
        savepoint = await session.begin_nested()
        with pytest.raises(ReplayRefusedError, match="Roll the transaction back") as caught:
            await office.letters.replay_many(session=session)
        assert (caught.value.replayed, caught.value.refused) == (0, ())
        await savepoint.rollback()
        await session.commit()
    assert [row.replay_of for row in await office.fresh()] == [good]


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
async def test_every_driver_says_the_same(office: Office, driver: str) -> None:
    await office.rows(COUNTS_THE_DEAD)
    dead_id = await office.one(tenant_id=7)
    with pytest.raises(ReplayRefusedError) as wanted:
        await office.letters.replay(dead_id)
    engine = create_engine(make_url(office.url).set(drivername=f"postgresql+{driver}"))
    soniq = Soniq(Base.metadata, engine=engine)
    with sessionmaker(engine)() as session:
        desk = soniq.dead_letters.within(session)
        with pytest.raises(ReplayRefusedError) as caught:
            desk.replay(dead_id)
        session.rollback()
        with pytest.raises(ReplayRefusedError, match=r"ux_tenant.*Key \(tenant_id\)=\(7\)"):
            desk.replay_many()
    engine.dispose()
    assert str(caught.value) == str(wanted.value)
    assert caught.value.refused == (dead_id,)


async def test_what_the_session_itself_violates_is_not_told_of_the_replay(office: Office) -> None:
    dead_id = await office.one()
    await office.rows("INSERT INTO reports (id) VALUES (1)")
    for replay in (functools.partial(office.letters.replay, dead_id), office.letters.replay_many):
        async with office.sessions() as session:
            session.add(Report(id=1))
            with pytest.raises(IntegrityError):
                await replay(session=session)


async def test_an_error_of_another_kind_stays_what_it_is(office: Office) -> None:
    dead_id = await office.one()
    await office.rows(REFUSE.replace("check_violation", "insufficient_privilege"))
    await office.rows(CONSTRAINTS["trigger"][0])
    with pytest.raises(ProgrammingError, match="tenants are closed"):
        await office.letters.replay(dead_id)
    with pytest.raises(ProgrammingError, match="tenants are closed"):
        await office.letters.replay_many()
    assert await untouched(office, dead_id)
