"""A replay takes the options that the page shows, and beside filters they are told apart."""

from datetime import UTC, datetime, timedelta
from typing import assert_type
from uuid import UUID

from sqlalchemy.orm import Session

from shop import soniq
from soniq_sa import Priority, ReplayOptions, ReplayRefusedError

slow: ReplayOptions = {"queue": "slow", "priority": Priority.LOW, "retries": 0}


async def replay(job_id: UUID, session: Session) -> None:
    letters = soniq.dead_letters
    assert_type(await letters.replay(job_id), UUID)
    assert_type(await letters.replay(job_id, options=slow, session=session), UUID)
    assert_type(await letters.replay(job_id, options={"delay": timedelta(minutes=5)}), UUID)
    assert_type(await letters.replay_many(queue="billing", options={"queue": "slow"}), int)
    desk = letters.within(session)
    assert_type(desk.replay(job_id, options={"run_at": datetime.now(UTC)}), UUID)
    try:
        assert_type(desk.replay_many(limit=10, options={"run_at": 90}), int)
    except ReplayRefusedError as error:
        assert_type(error.refused, tuple[UUID, ...])
        assert_type(error.replayed, int)
