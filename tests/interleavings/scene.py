"""What an order begins with, and who acts in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import func, literal_column

from tests.interleavings.seat import Seat

Act = Callable[[Seat], Awaitable[None]]

TASK = "work"
QUEUE = "default"
HOUR = "interval '1 hour'"
_TABLES = ("effects", "soniq_attempts", "soniq_jobs", "soniq_workers")


def job(number: int) -> UUID:
    """Return the id of the job with a number."""
    return UUID(int=number)


def worker(number: int) -> UUID:
    """Return the id of the worker with a number."""
    return UUID(int=0xF000 + number)


LIVE, DEAD, NEW = worker(1), worker(2), worker(3)
"""A worker whose lease runs for another hour, one whose lease ended an hour ago, and a third that lives."""
WORKERS = {LIVE: "+", DEAD: "-", NEW: "+"}


def queued(**columns: Any) -> dict[str, Any]:
    """Return a job that waits."""
    return {"state": "queued", **columns}


def scheduled(**columns: Any) -> dict[str, Any]:
    """Return a job whose time has come, and that nobody has queued yet."""
    return {
        "state": "scheduled",
        "run_at": func.now() - literal_column("interval '1 second'"),
        **columns,
    }


def running(for_worker: UUID, **columns: Any) -> dict[str, Any]:
    """Return a job that runs, as the first claim."""
    owned = {"worker_id": str(for_worker), "claimed_at": func.now(), "claims": 1}
    return {"state": "processing", **owned, **columns}


def dead(**columns: Any) -> dict[str, Any]:
    """Return a job that is dead, and whose retention is over."""
    ended = {"finished_at": func.now() - literal_column(HOUR), "keep_until": func.now()}
    return {"state": "dead", "claims": 1, "attempts": 1, "worker_id": str(DEAD), **ended, **columns}


@dataclass(frozen=True)
class Scene:
    """Jobs, numbered from 1, and the actors, by name.

    many: There are so many orders that they are run in full only when that is asked for.
    """

    name: str
    jobs: list[dict[str, Any]]
    actors: Mapping[str, Act] = field(default_factory=dict)
    many: bool = False

    @property
    def script(self) -> str:
        """Return the SQL that puts the tables into the first state."""
        empty = [f"DELETE FROM {table}" for table in _TABLES]  # noqa: S608 - ours
        workers = [
            _insert(
                "soniq_workers",
                id=str(id_),
                name="a worker",
                expires_at=literal_column(f"now() {sign} {HOUR}"),
            )
            for id_, sign in WORKERS.items()
        ]
        fixed = {"task": TASK, "queue": QUEUE, "max_attempts": 3}
        jobs = [
            _insert("soniq_jobs", id=str(job(number)), **fixed, **columns)
            for number, columns in enumerate(self.jobs, 1)
        ]
        return ";".join([*empty, *workers, *jobs])


def _insert(name: str, /, **values: Any) -> str:
    """Return an INSERT with its values in it; what is left out is the database's default."""
    written = ", ".join(f"'{one}'" if isinstance(one, str) else str(one) for one in values.values())
    return f"INSERT INTO {name} ({', '.join(values)}) VALUES ({written})"  # noqa: S608 - our own values
