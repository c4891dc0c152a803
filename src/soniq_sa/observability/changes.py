"""What an event means for the metrics: pure functions from one to the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version

from soniq_sa import events
from soniq_sa.observability.metrics import (
    ATTEMPTS_FAILED,
    DATABASE_LOST,
    DATABASE_UP,
    HANDLERS_ABANDONED,
    HOOKS_FAILED,
    JOBS_CANCELLED,
    JOBS_DEAD,
    JOBS_DONE,
    JOBS_HELD,
    JOBS_LOST,
    JOBS_PRUNED,
    JOBS_RELEASED,
    JOBS_RESCUED,
    JOBS_SNOOZED,
    LEASE_LOST,
    LEASES_LET_GO,
    LOOP_BLOCKED,
    LOOP_BLOCKED_SECONDS,
    LOOP_BLOCKS,
    METRICS,
    PARTS_FAILED,
    RESOURCES_FAILED,
    SCHEMA_BEHIND,
    WAKEUPS_UNHEARD,
    WORKER_CONCURRENCY,
    WORKER_DRAINING,
    WORKER_INFO,
    WORKER_RUNNING,
    Metric,
)
from soniq_sa.states import Reason

_OF_TASKS = tuple(one for one in METRICS if one.labels == ("task",))
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Change:
    """Add ``amount`` to a counter, or set a gauge to it.

    values: One for each label of the metric, in the same order.
    """

    metric: Metric
    amount: float
    values: tuple[str, ...] = ()


def changes_by(event: events.Event) -> Iterator[Change]:
    """Yield what ``event`` changes."""
    yield from _by_job(event)
    yield from _by_upkeep(event)
    yield from _by_worker(event)
    yield from _by_loop(event)
    yield from _by_trouble(event)


def _by_job(event: events.Event) -> Iterator[Change]:
    match event:
        case events.JobsDone():
            for task, count in Counter(event.tasks).items():
                yield Change(JOBS_DONE, count, (task,))
        case events.JobFailed():
            outcome = str(event.failure.outcome or "not begun")
            yield Change(ATTEMPTS_FAILED, 1, (event.task, outcome))
        case events.JobDied():
            yield Change(JOBS_DEAD, 1, (event.task, event.reason))
        case events.JobSnoozed():
            yield Change(JOBS_SNOOZED, 1, (event.task,))
        case events.JobCancelled():
            yield Change(JOBS_CANCELLED, 1, (event.task,))
        case events.JobLost():
            yield Change(JOBS_LOST, 1, (event.task,))
        case events.HandlerAbandoned():
            yield Change(HANDLERS_ABANDONED, 1, (event.task,))
        case _:
            pass


def _by_upkeep(event: events.Event) -> Iterator[Change]:
    match event:
        case events.JobsRescued():
            yield Change(JOBS_RESCUED, event.queued, ("queued",))
            yield Change(JOBS_RESCUED, event.dead, ("dead",))
        case events.JobsReleased():
            yield Change(JOBS_RELEASED, event.count, ("lost answer",))
        case events.JobsPruned():
            yield Change(JOBS_PRUNED, event.count)
        case events.JobsHeld():
            yield Change(JOBS_HELD, len(event.job_ids))
        case _:
            pass


def _by_worker(event: events.Event) -> Iterator[Change]:
    match event:
        case events.WorkerStarted():
            for task in event.tasks:  # so that they are there, with 0, before the first event
                for metric in _OF_TASKS:
                    yield Change(metric, 0, (task,))
                for reason in Reason:
                    yield Change(JOBS_DEAD, 0, (task, reason))
            liveness = "lease and lock" if event.direct else "lease"
            queues = ",".join(event.queues) or "all"
            yield Change(WORKER_INFO, 1, (version("soniq-sa"), event.loop, liveness, queues))
            yield Change(WORKER_CONCURRENCY, event.concurrency)
            yield Change(WORKER_RUNNING, 1)
        case events.WorkerDraining():
            yield Change(WORKER_DRAINING, 1)
        case events.WorkerStopped():
            yield Change(JOBS_RELEASED, event.released, ("worker stopped",))
            yield Change(WORKER_DRAINING, 0)
            yield Change(WORKER_RUNNING, 0)
        case events.LeaseLost():
            yield Change(LEASE_LOST, 1)
        case events.SchemaBehind():
            yield Change(SCHEMA_BEHIND, 1)
        case events.WakeupsUnheard():
            yield Change(WAKEUPS_UNHEARD, 1)
        case _:
            pass


def _by_loop(event: events.Event) -> Iterator[Change]:
    match event:
        case events.LoopBlocked():
            task = event.task or _UNKNOWN
            yield Change(LOOP_BLOCKS, 1, (task,))
            yield Change(LOOP_BLOCKED, 1, (task,))
        case events.LeaseLetGo():
            yield Change(LEASES_LET_GO, 1, (event.task or _UNKNOWN,))
        case events.LoopFreed():
            task = event.task or _UNKNOWN
            yield Change(LOOP_BLOCKED, 0, (task,))
            yield Change(LOOP_BLOCKED_SECONDS, max(0.0, event.seconds), (task,))
        case _:
            pass


def _by_trouble(event: events.Event) -> Iterator[Change]:
    match event:
        case events.DatabaseLost():
            part = _part(event.part)
            yield Change(DATABASE_LOST, 1, (part,))
            yield Change(DATABASE_UP, 0, (part,))
        case events.DatabaseBack():
            yield Change(DATABASE_UP, 1, (_part(event.part),))
        case events.PartFailed():
            yield Change(PARTS_FAILED, 1, (event.part,))
        case events.HookFailed():
            yield Change(HOOKS_FAILED, 1, (event.kind,))
        case events.ResourceFailed():
            yield Change(RESOURCES_FAILED, 1, (event.resource,))
        case _:
            pass


def _part(part: str) -> str:
    """Return the name of a part; the worker itself, at its start, is named by the URL."""
    return "worker" if "://" in part else part
