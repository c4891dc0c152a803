"""After a statement of ours has failed before the flush, nothing of its transaction can be committed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.exc import IntegrityError, PendingRollbackError

from tests.session.app import note
from tests.session.models import Order
from tests.session.variants import Variant

mine = note.options(columns={"tenant_id": 1})


@pytest.fixture(autouse=True)
def _one_a_tenant(variant: Variant) -> Iterator[None]:
    """Let the job table have one job a tenant, for one test."""
    with variant.observer.connect() as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX one_a_tenant ON soniq_jobs (tenant_id)")
    yield
    with variant.observer.connect() as connection:
        connection.exec_driver_sql("DROP INDEX one_a_tenant")


async def test_nothing_is_committed_before_a_rollback(variant: Variant) -> None:
    """PostgreSQL would roll back at the COMMIT and say nothing; SQLAlchemy refuses it after other flushes."""
    async with variant.session() as session:
        session.add(Order(note="lost"))
        await session.flush()
        session.enqueue_many(mine, [{"text": "b"}, {"text": "c"}])
        with pytest.raises(IntegrityError, match="one_a_tenant"):
            await session.flush()
        for _ in range(2):
            with pytest.raises(PendingRollbackError):
                await session.commit()
        await session.rollback()
        session.add(Order(note="kept"))
        await session.commit()
    assert [row.note for row in variant.rows("SELECT note FROM orders")] == ["kept"]


async def test_the_rollback_of_its_savepoint_is_enough(variant: Variant) -> None:
    async with variant.session() as session:
        session.enqueue(mine, "a")
        await session.flush()
        savepoint = await session.begin_nested()
        session.enqueue_many(mine, [{"text": "b"}])
        with pytest.raises(IntegrityError, match="one_a_tenant"):
            await session.flush()
        await savepoint.rollback()
        session.enqueue_many(note, [{"text": "c"}])
        await session.commit()
    assert [args["text"] for _, args in variant.jobs()] == ["a", "c"]
