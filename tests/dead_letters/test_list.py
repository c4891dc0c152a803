"""Looking at dead letters: pages, filters, numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Executable

from soniq_sa import ConfigurationError, DeadLetter
from soniq_sa.dead_filter import DeadFilter
from soniq_sa.statements.dead import count_dead, delete_matching, list_dead
from tests.dead_letters.office import LONG_AGO, Office
from tests.runtime.plans import plan_of


async def ids(office: Office, **filters: Any) -> list[Any]:
    return [letter.id for letter in await office.letters.list(**filters)]


async def test_a_letter_says_what_is_known_of_the_job(office: Office) -> None:
    other = uuid4()
    dead_id = await office.one(
        queue="billing",
        priority=7,
        max_attempts=9,
        tags=["a"],
        headers={"trace": "1"},
        tenant_id=7,
        replay_of=other,
        replays=2,
        created_at=LONG_AGO,
    )
    letter = await office.letters.get(dead_id)
    assert letter is not None
    assert letter == DeadLetter(
        id=dead_id,
        task="send",
        queue="billing",
        priority=7,
        max_attempts=9,
        reason="retries exhausted",
        error="ValueError: no",
        args={"number": 0},
        attempts=4,
        created_at=LONG_AGO,
        finished_at=LONG_AGO,
        tags=("a",),
        headers={"trace": "1"},
        replays=2,
        replay_of=other,
        columns=letter.columns,
    )
    assert letter.columns.keys() == {
        "tenant_id",
        "customer name",
        "trail",
        "blob",
        "words",
        "required",
        "serial",
        "queue_length",
    }
    assert (letter.columns["tenant_id"], letter.columns["queue_length"]) == (7, 7)
    assert await office.letters.list() == [letter]


async def test_a_job_that_is_not_dead_is_no_dead_letter(office: Office) -> None:
    for state in ("scheduled", "queued", "processing", "done", "cancelled"):
        job_id = await office.one(state=state)
        assert await office.letters.get(job_id) is None
    assert await office.letters.get(uuid4()) is None
    assert await office.letters.list() == []
    assert (await office.letters.stats()).total == 0


async def test_pages_follow_each_other_without_gaps(office: Office) -> None:
    dead_ids = await office.add(25)
    same = await office.add(25, finished_at=LONG_AGO + timedelta(hours=1))
    expected = [*sorted(same, reverse=True), *reversed(dead_ids)]
    for oldest_first in (False, True):
        found: list[DeadLetter] = []
        while page := await office.letters.list(
            limit=7, after=found[-1] if found else None, oldest_first=oldest_first
        ):
            found += page
        order = expected[::-1] if oldest_first else expected
        assert [letter.id for letter in found] == order


async def test_a_page_has_50_letters(office: Office) -> None:
    await office.add(60)
    assert len(await office.letters.list()) == 50


async def test_each_filter_leaves_out_what_does_not_match(office: Office) -> None:
    now = datetime.now(UTC)
    plain = await office.one()
    wanted = {
        "task": await office.one(task="other"),
        "queue": await office.one(queue="billing"),
        "reason": await office.one(reason="timed out"),
        "error": await office.one(error="first\nKeyError: 'Ünder_score 5%'"),
        "since": await office.one(finished_at=now),
        "before": await office.one(finished_at=LONG_AGO - timedelta(days=1)),
        "tags": await office.one(tags=["a", "b", "c"]),
        "replayed": await office.one(replays=1),
    }
    for name, value in (
        ("task", "other"),
        ("queue", "billing"),
        ("reason", "timed out"),
        ("error", "keyerror: 'ÜNDER_SCORE 5%"),
        ("since", timedelta(hours=1)),
        ("since", 3600),
        ("since", now),
        ("before", LONG_AGO),
        ("tags", ["c", "a"]),
        ("replayed", True),
    ):
        assert await ids(office, **{name: value}) == [wanted[name]], name
    assert plain in await ids(office, replayed=False)
    assert wanted["replayed"] not in await ids(office, replayed=False)
    assert wanted["since"] not in await ids(office, before=3600)
    assert len(await ids(office, before=0)) == len(wanted) + 1
    assert len(await ids(office, replayed=None)) == len(wanted) + 1
    assert await ids(office, task="other", queue="billing") == []


async def test_a_text_is_searched_for_as_it_is(office: Office) -> None:
    await office.one(error="plain")
    odd = r"100%_/\ ''"
    dead_id = await office.one(error=f"before {odd} behind")
    assert await ids(office, error=odd) == [dead_id]
    assert await ids(office, error="%") == [dead_id]
    assert await ids(office, error="_") == [dead_id]
    assert await ids(office, error="\\") == [dead_id]


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"tasks": "x"}, "no filter 'tasks' of dead letters. Did you mean 'task'?"),
        ({"reason": "timedout"}, "Did you mean 'timed out'?"),
        ({"reason": 5}, "retries exhausted"),
        ({"since": datetime(2020, 1, 1)}, "naive"),  # noqa: DTZ001 - that is what is refused
        ({"before": -1}, "0 seconds to 100 years"),
        ({"before": float("nan")}, "0 seconds to 100 years"),
        ({"before": True}, "an aware datetime, or an age"),
        ({"since": "yesterday"}, "an aware datetime, or an age"),
        ({"error": ""}, "takes a text"),
        ({"error": "a\0"}, "U\\+0000"),
        ({"task": "\ud800"}, "surrogates"),
        ({"tags": "abc"}, "at most 20 words"),
        ({"replayed": "no"}, "True, False or None"),
        ({"limit": 0}, "limit"),
    ],
)
async def test_a_filter_that_cannot_be_is_refused(
    office: Office, filters: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said.replace("?", "\\?")):
        await office.letters.list(**filters)


async def test_the_numbers_are_those_of_what_matches(office: Office) -> None:
    await office.add(3, queue="billing")
    await office.add(2, task="other", reason="expired", replays=2)
    await office.one(state="done")
    stats = await office.letters.stats()
    assert (stats.total, stats.replayed, stats.replays) == (5, 2, 4)
    assert (stats.oldest, stats.newest) == (LONG_AGO, LONG_AGO + timedelta(seconds=2))
    assert list(stats.by_task.items()) == [("send", 3), ("other", 2)]
    assert stats.by_queue == {"billing": 3, "default": 2}
    assert stats.by_reason == {"retries exhausted": 3, "expired": 2}
    assert (await office.letters.stats(queue="default")).by_task == {"other": 2}
    empty = await office.letters.stats(task="nobody")
    assert (empty.total, empty.oldest, empty.by_reason) == (0, None, {})


async def test_infinite_times_are_no_hindrance(office: Office) -> None:
    (plain,) = await office.add(1, task="other")
    for time in ("infinity", "-infinity"):
        await office.rows(
            "INSERT INTO soniq_jobs (id, task, state, finished_at, created_at) VALUES "  # noqa: S608 - ours
            f"(gen_random_uuid(), 'send', 'dead', '{time}', '{time}')"
        )
    found: list[DeadLetter] = []
    while page := await office.letters.list(limit=1, after=found[-1] if found else None):
        found += page
    assert [letter.task for letter in found] == ["send", "other", "send"]
    assert found[1].id == plain
    assert (await office.letters.stats()).total == 3
    assert await office.letters.replay_many() == 2
    assert await office.letters.delete(*[letter.id for letter in found]) == 3


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("analyzed", [True, False])
async def test_among_100_000_jobs_a_page_touches_no_more_than_it_shows(
    office: Office, mode: str, *, analyzed: bool
) -> None:
    await office.rows(
        "INSERT INTO soniq_jobs (id, task, state, finished_at, keep_until) "
        "SELECT gen_random_uuid(), 'send', 'done', now() - n * interval '1 s', now() "
        "FROM generate_series(1, 100000) AS n"
    )
    dead = await office.add(2_000)
    if analyzed:
        await office.rows("ANALYZE soniq_jobs")
    models, every = office.soniq.models, DeadFilter()
    last = {
        "after_time": f"'{LONG_AGO + timedelta(seconds=1_000)}'",
        "after_id": f"'{dead[1_000]}'",
    }
    asked: list[tuple[Executable, dict[str, str]]] = [
        (list_dead(models, every, oldest_first=False, following=False), {"page_size": "50"}),
        (list_dead(models, every, oldest_first=False, following=True), {"page_size": "50", **last}),
        (list_dead(models, every, oldest_first=True, following=True), {"page_size": "50", **last}),
    ]
    async with office.engine.connect() as connection, connection.begin():
        for statement, parameters in asked:
            found = await plan_of(connection, statement, mode=mode, **parameters)
            assert "ix_soniq_jobs_dead_1" in found.used
            assert found.touched <= 60
        through_all: list[tuple[Executable, dict[str, str]]] = [
            (count_dead(models, every), {}),
            (delete_matching(models, every), {"batch_size": "50", "began_at": "now()"}),
        ]
        for statement, parameters in through_all:
            found = await plan_of(connection, statement, mode=mode, **parameters)
            assert "ix_soniq_jobs_dead_1" in found.used
            assert found.touched <= 2_000
