"""The statements whose plans matter, and the indexes that each has to use.

To add one: write an `expect(...)` with its name, how it is made, values for its parameters, and the
indexes that find its rows. It is then planned for tables of every size and for all statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Executable

from soniq_sa.dead_filter import DeadFilter
from soniq_sa.models.roles import Models
from soniq_sa.retention import Retention
from soniq_sa.statements import (
    browse,
    claim,
    control,
    dead,
    enqueue,
    finish,
    progress,
    prune,
    upkeep,
)
from soniq_sa.states import JobState
from tests.plans.explaining import FIRST, LATER, WORKER, Manner
from tests.plans.filling import DEAD_WORKER_ID, WORKER_ID
from tests.plans.statistics import NOT_KNOWN

JOBS = "soniq_jobs"
KEY = "soniq_jobs_pkey"
CLAIM = "ix_soniq_jobs_claim_1"
SUSPECT = "ix_soniq_jobs_suspect_1"
DUE = "ix_soniq_jobs_due_1"
OWNER = "ix_soniq_jobs_owner_1"
DEAD = "ix_soniq_jobs_dead_1"
PRUNE = "ix_soniq_jobs_prune_1"
ATTEMPT = "soniq_attempts_pkey"
PROGRESS = "soniq_progress_pkey"

IDS = [UUID(int=number) for number in range(100)]
_OWNED = {"owner": UUID(WORKER_ID)}
_NOW = datetime.now(UTC)
_RETENTION = Retention(
    {JobState.DONE: 86400.0, JobState.CANCELLED: 604800.0, JobState.DEAD: None},
    {"mail": {JobState.DONE: 60.0}},
)
_LATE = {
    "ids": IDS,
    "due_at": [None] * len(IDS),
    "delay": [1.0] * len(IDS),
    "lifetime": [None] * len(IDS),
}
_PROGRESS = {
    "ids": IDS,
    "claim_numbers": [1] * len(IDS),
    "owners": [UUID(WORKER_ID)] * len(IDS),
    "done": [1.0] * len(IDS),
    "total": [None] * len(IDS),
    "notes": [None] * len(IDS),
}
_AS_IT_WAS = {
    "new_queue": None,
    "new_priority": None,
    "attempt_limit": None,
    "due_at": None,
    "delay": 0.0,
}


@dataclass(frozen=True, slots=True)
class HotStatement:
    """A statement, and how it must be run.

    indexes: All that may find rows of the jobs and their attempts, and each must be used.
    whole: Those that it may read from end to end.
    manners: How its connection plans.
    unless: What PostgreSQL believes when it may do otherwise.
    """

    name: str
    make: Callable[[Models], Executable]
    values: Mapping[str, Any]
    indexes: frozenset[str]
    whole: frozenset[str]
    manners: Sequence[Manner]
    unless: Sequence[str]

    def __str__(self) -> str:
        return self.name


def hot_statements() -> Iterator[HotStatement]:
    """Yield all of them."""
    yield from _of_workers()
    yield from _of_pruning()
    yield from _of_finishing()
    yield from _of_applications()
    yield from _of_dead_letters()


def expect(
    name: str,
    make: Callable[[Models], Executable],
    values: Mapping[str, Any],
    *indexes: str,
    whole: Sequence[str] = (),
    manners: Sequence[Manner] = (WORKER,),
    unless: Sequence[str] = (),
) -> HotStatement:
    """Return what is expected of a statement."""
    return HotStatement(name, make, values, frozenset(indexes), frozenset(whole), manners, unless)


def _kept(make: Callable[[Models, Retention], Executable]) -> Callable[[Models], Executable]:
    """Return how a statement is made that also writes until when jobs are kept."""
    return lambda models: make(models, _RETENTION)


def _of_workers() -> Iterator[HotStatement]:
    claiming = {"queues": ["default", "mail"], "tasks": ["noop"], "limit": 100, **_OWNED}
    rescuing = {**_OWNED, "dead_ids": [UUID(DEAD_WORKER_ID)], "dead_keys": [2]}
    yield expect("claim", claim.claim_jobs, claiming, CLAIM, KEY)
    yield expect(
        "claim of suspects",
        lambda models: claim.claim_jobs(models, suspects=True),
        {**claiming, "limit": 1, "most_crashes": 1},
        SUSPECT,
        KEY,
    )
    marks = {
        "queues": ["default"] * 2,
        "priorities": [-32768, 100],
        "times": [_NOW] * 2,
        "ids": IDS[:2],
        "last_priorities": [99, 100],
    }
    yield expect(
        "claim behind marks",
        lambda models: claim.claim_jobs(models, marked=True),
        claiming | marks,
        CLAIM,
        KEY,
    )
    yield expect("queues with jobs", claim.queues_with_jobs, {}, CLAIM)
    yield expect("promote", upkeep.promote_due, {"limit": 1000}, DUE, KEY)
    yield expect("next due", upkeep.next_due, {}, DUE)
    beating = {**_OWNED, "lock": 1, "lease": 15.0, "channel": "own", "beat_number": "1"}
    yield expect(
        "beat with a look",
        lambda models: upkeep.beat(models, looking=True),
        beating,
        *(CLAIM, SUSPECT, DUE, OWNER, PRUNE),
        whole=[SUSPECT],  # it stops at the first
    )
    yield expect("owned jobs", upkeep.owned_jobs, _OWNED, OWNER)
    yield expect("rescue", _kept(upkeep.rescue_jobs), rescuing, OWNER, KEY, whole=[OWNER])
    yield expect("rescue of orphans", _kept(upkeep.rescue_orphans), {}, OWNER, KEY, whole=[OWNER])
    yield expect("ends, for those who wait", browse.read_ends, {"ids": IDS}, KEY)
    yield expect("progress", progress.write_progress, _PROGRESS, KEY)


def _of_pruning() -> Iterator[HotStatement]:
    times = {"shortest": 3600.0, "longest": 86400.0}
    since = {"page_size": 1000, "since": None}
    yield expect("look for what to prune", prune.prunable_jobs, since, PRUNE)
    yield expect("prune", prune.prune_jobs, {"ids": IDS}, KEY, ATTEMPT, PROGRESS)
    yield expect("put off pruning", prune.put_off_pruning, {"ids": IDS, **times}, KEY)


def _of_finishing() -> Iterator[HotStatement]:
    """Yield what ends jobs: in batches by a worker, one by one in the session of a handler."""
    count = len(IDS)
    claims = {"ids": IDS, "claim_numbers": [1] * count, **_OWNED}
    ends = {
        "consumed": [1] * count,
        "outcomes": ["failed"] * count,
        "errors": ["no"] * count,
        "reasons": ["retries exhausted"] * count,
        "delays": [5.0] * count,
        "ends": ["dead"] * count,
    }
    everywhere = (WORKER, FIRST, LATER)
    done = {"ids": IDS, "claim_number": 1, **_OWNED}
    results = {**claims, "results": ["1"] * count}
    yield expect("finish", _kept(finish.finish_done), done, KEY, manners=everywhere)
    yield expect(
        "finish by deletion",
        finish.finish_deleted,
        done,
        KEY,
        ATTEMPT,
        PROGRESS,
        manners=everywhere,
    )
    yield expect(
        "finish with results", _kept(finish.finish_with_results), results, KEY, manners=everywhere
    )
    yield expect(
        "finish otherwise",
        _kept(finish.finish_otherwise),
        {**claims, **ends},
        KEY,
        manners=everywhere,
    )
    yield expect("release", _kept(finish.release_jobs), claims, KEY)


def _of_applications() -> Iterator[HotStatement]:
    manners = (FIRST, LATER)
    one = {"job_id": IDS[0]}
    held = {**one, "claim_number": 1, **_OWNED}
    later = {**one, "due_at": None, "delay": 1.0}
    yield expect(
        "complete",
        lambda models: enqueue.complete_jobs(models.jobs, with_args=True),
        {**_LATE, "new_args": ["{}"] * len(IDS)},
        KEY,
        manners=manners,
    )
    yield expect(
        "complete times",
        lambda models: enqueue.complete_jobs(models.jobs, with_args=False),
        _LATE,
        KEY,
        manners=manners,
    )
    yield expect("read", browse.read_jobs, {"ids": IDS}, KEY, PROGRESS, manners=manners)
    yield expect("ends", browse.read_ends, {"ids": IDS}, KEY, manners=manners)
    yield expect("hold a claim", finish.hold_claim, held, KEY, manners=manners)
    yield expect("state", control.read_state, one, KEY, manners=manners)
    yield expect("cancel", _kept(control.cancel_job), {**one, "why": None}, KEY, manners=manners)
    yield expect("put off", control.put_off_job, later, KEY, manners=manners)
    yield expect("hurry", control.hurry_retry, one, KEY, manners=manners)
    yield expect(
        "set priority", control.set_job_priority, {**one, "new_priority": 1}, KEY, manners=manners
    )
    yield expect("delete", control.delete_job, one, KEY, ATTEMPT, PROGRESS, manners=manners)
    yield expect("find dead", dead.find_dead, {"dead_id": IDS[0]}, KEY, manners=manners)
    replayed = {"dead_ids": IDS, "new_ids": IDS, **_AS_IT_WAS}
    yield expect("replay", dead.replay_dead, replayed, KEY, manners=manners)
    yield expect(
        "delete dead", dead.delete_dead, {"dead_ids": IDS}, KEY, ATTEMPT, PROGRESS, manners=manners
    )


def _of_dead_letters() -> Iterator[HotStatement]:
    """Yield what goes through dead letters in their order.

    A page of them may be sorted while the table was never analyzed: people wait for it, not workers.
    """
    manners = (FIRST, LATER)
    last = {"after_time": _NOW, "after_id": IDS[0]}

    def listed(models: Models, *, oldest_first: bool, following: bool) -> Executable:
        filters = DeadFilter(task="noop")
        return dead.list_dead(models, filters, oldest_first=oldest_first, following=following)

    for oldest_first in (False, True):
        order = "oldest first" if oldest_first else "newest first"
        yield expect(
            f"dead letters, {order}",
            lambda models, o=oldest_first: listed(models, oldest_first=o, following=False),
            {"page_size": 50},
            DEAD,
            manners=manners,
            unless=NOT_KNOWN,
        )
        yield expect(
            f"dead letters, next page, {order}",
            lambda models, o=oldest_first: listed(models, oldest_first=o, following=True),
            {"page_size": 50, **last},
            DEAD,
            manners=manners,
            unless=NOT_KNOWN,
        )
    batch = {"batch_size": 100, "began_at": _NOW}
    yield expect(
        "replay of many",
        lambda models: dead.replay_matching(models, DeadFilter(), following=True),
        {**batch, **last, "new_ids": IDS, **_AS_IT_WAS},
        DEAD,
        KEY,
        manners=manners,
    )
    yield expect(
        "deletion of many",
        lambda models: dead.delete_matching(models, DeadFilter()),
        batch,
        DEAD,
        KEY,
        ATTEMPT,
        PROGRESS,
        manners=manners,
    )
