"""Deleting dead letters, and giving them tags."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from soniq_sa import JobNotFoundError, OptionError
from tests.dead_letters.office import LONG_AGO, Office


async def left(office: Office) -> list[UUID]:
    return [row.id for row in await office.rows("SELECT id FROM soniq_jobs ORDER BY finished_at")]


async def note_attempts(office: Office) -> None:
    await office.rows(
        "INSERT INTO soniq_attempts (job_id, claim, outcome) "
        "SELECT id, n, 'failed' FROM soniq_jobs, generate_series(1, 3) AS n"
    )


async def test_a_deleted_job_takes_its_attempts_with_it(office: Office) -> None:
    first, second, third = await office.add(3)
    await note_attempts(office)
    await office.rows("INSERT INTO reports (job_id) VALUES (:id)", id=first)
    assert await office.letters.delete(first, third, uuid4()) == 2
    assert await left(office) == [second]
    kept = await office.rows("SELECT DISTINCT job_id FROM soniq_attempts")
    assert [row.job_id for row in kept] == [second]
    (report,) = await office.rows("SELECT job_id FROM reports")
    assert report.job_id is None


async def test_more_ids_than_a_statement_takes(office: Office) -> None:
    dead_ids = await office.add(2_100)
    assert await office.letters.delete(*dead_ids) == 2_100


@pytest.mark.parametrize("state", ["queued", "processing", "done", "cancelled", "scheduled"])
async def test_only_dead_jobs_are_deleted(office: Office, state: str) -> None:
    job_id = await office.one(state=state)
    await note_attempts(office)
    assert await office.letters.delete(job_id) == 0
    assert await office.letters.delete(task="send") == 0
    assert await office.letters.purge(older_than=0) == 0
    assert await left(office) == [job_id]
    assert len(await office.rows("SELECT 1 FROM soniq_attempts")) == 3


@pytest.mark.parametrize("limit", [1, 1_000, 1_200])
async def test_the_limit_is_the_number_of_jobs_that_are_deleted(office: Office, limit: int) -> None:
    dead_ids = await office.add(1_500)
    kept = await office.one(task="other", finished_at=LONG_AGO - timedelta(days=1))
    assert await office.letters.delete(task="send", limit=limit) == limit
    assert await left(office) == [kept, *dead_ids[limit:]]


async def test_a_purge_takes_what_is_old_enough(office: Office) -> None:
    await office.add(1_100)
    young = await office.one(finished_at=datetime.now(UTC) - timedelta(minutes=30))
    await note_attempts(office)
    assert await office.letters.purge(older_than=timedelta(hours=1), limit=7) == 7
    assert await office.letters.purge(older_than=LONG_AGO) == 0
    assert await office.letters.purge(older_than=timedelta(hours=1)) == 1_093
    assert await left(office) == [young]
    assert len(await office.rows("SELECT 1 FROM soniq_attempts")) == 3
    assert await office.letters.purge(older_than=60) == 1


async def test_purges_at_once_share_the_work(office: Office) -> None:
    await office.add(3_000)
    counts = await asyncio.gather(*[office.letters.purge(older_than=0) for _ in range(3)])
    assert sum(counts) + await office.letters.purge(older_than=0) == 3_000


@pytest.mark.parametrize(
    ("ids", "filters", "said"),
    [
        (0, {}, "neither ids nor a filter"),
        (0, {"limit": 5}, "neither ids nor a filter"),
        (1, {"task": "send"}, "ids alone"),
        (1, {"limit": 5}, "ids alone"),
        (0, {"task": "send", "limit": 0}, "limit"),
    ],
)
async def test_a_deletion_that_may_be_a_mistake_is_refused(
    office: Office, ids: int, filters: dict[str, Any], said: str
) -> None:
    dead_id = await office.one()
    with pytest.raises(OptionError, match=said):
        await office.letters.delete(*[dead_id][:ids], **filters)
    assert await left(office) == [dead_id]


async def test_a_deletion_is_part_of_the_callers_transaction(office: Office) -> None:
    dead_ids = await office.add(1_500)
    async with office.sessions() as session:
        assert await office.letters.delete(task="send", session=session) == 1_500
        assert await office.letters.list(session=session) == []
        await session.rollback()
    assert await left(office) == dead_ids


async def test_tags_are_added_and_taken_away(office: Office) -> None:
    dead_id = await office.one(tags=["a"])
    letters = office.letters
    assert await letters.tag(dead_id, "seen", "a", "ticket ü\n") == ("a", "seen", "ticket ü\n")
    assert await letters.tag(dead_id, "last", remove=["a", "never"]) == (
        "seen",
        "ticket ü\n",
        "last",
    )
    (found,) = await letters.list(tags=["seen", "last"])
    assert (found.id, found.tags) == (dead_id, ("seen", "ticket ü\n", "last"))
    assert await letters.tag(await office.one(), "first") == ("first",)


async def test_tags_that_cannot_be_are_refused(office: Office) -> None:
    dead_id = await office.one(tags=["kept"])
    for tags in (map(str, range(20)), ["x" * 65], ["\0"], [""]):
        with pytest.raises(OptionError, match="tag"):
            await office.letters.tag(dead_id, *tags)
    assert (await office.row(dead_id)).tags == ["kept"]
    for job_id in (uuid4(), await office.one(state="done")):
        with pytest.raises(JobNotFoundError, match=str(job_id)):
            await office.letters.tag(job_id, "a")


async def test_tags_that_are_given_at_once_are_all_kept(office: Office) -> None:
    dead_id = await office.one()
    await asyncio.gather(*[office.letters.tag(dead_id, f"tag {n}") for n in range(8)])
    assert set((await office.row(dead_id)).tags) == {f"tag {n}" for n in range(8)}
