"""A `JobContext` as a unit test of a handler makes it."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from soniq_sa import JobContext


def made_by_hand(**changes: Any) -> JobContext:
    """Return a context of no worker."""
    now = datetime.now(UTC)
    fields: dict[str, Any] = {
        "job_id": uuid4(),
        "task": "work",
        "queue": "default",
        "attempt": 1,
        "max_attempts": 4,
        "worker_id": uuid4(),
        "run_at": now,
        "created_at": now,
    }
    return JobContext(**fields | changes)
