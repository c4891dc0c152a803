"""Whether the application's pool has room for handlers with a session."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from sqlalchemy.pool import QueuePool

from soniq_sa.app import Soniq
from soniq_sa.cli.doctor.check import DoctorCheck
from soniq_sa.cli.doctor.finding import Finding, note, ok, warning
from soniq_sa.cli.doctor.patient import Patient
from soniq_sa.errors import NoDatabaseError, TaskDefinitionError
from soniq_sa.task import Task


async def examine(patient: Patient) -> Iterable[Finding]:
    """Compare the pool with the concurrency, if some task takes a session."""
    concurrency = patient.settings.concurrency
    if patient.app is None:
        return []
    waiting = [task.name for task in patient.app.tasks if _takes_session(task)]
    if not waiting:
        return [ok("no task takes a session")]
    room = _room(_engine_of(patient, patient.app))
    if room is None or room >= concurrency:
        return [ok(f"the pool has room for {concurrency} handlers with a session at a time")]
    remedy = (
        "Give the engine pool_size and max_overflow that make up the concurrency, or lower "
        "SONIQ_SA_CONCURRENCY."
    )
    what = (
        f"of {concurrency} jobs at a time, {room} can have a session (pool_size + max_overflow); "
        f"{len(waiting)} tasks take one"
    )
    return [warning(what, remedy) if room < 2 else note(what, remedy)]


def _engine_of(patient: Patient, app: Soniq) -> Any:
    """Return the engine of the application; if it has none, the one that its database leads to."""
    try:
        return app.databases.engine
    except NoDatabaseError:
        return patient.soniq.databases.engine


def _takes_session(task: Task[..., Any]) -> bool:
    """Tell whether a handler takes a session; one that cannot be run is told of by another check."""
    with suppress(TaskDefinitionError):
        return task.codec.needs_session
    return False


def _room(engine: Any) -> int | None:
    """Return how many connections the pool gives at most; None if there is no limit."""
    pool = engine.pool
    if not isinstance(pool, QueuePool):
        return None
    overflow = pool._max_overflow  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - only its size is public
    return None if overflow < 0 else pool.size() + overflow


POOL = DoctorCheck("pool", examine, needs="app")
