"""Every metric, as a value: its name, its labels, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. A counter only grows; a gauge is what is true now."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = ()


JOBS_DONE = Metric(
    "soniq_sa_jobs_done_total", "counter", "Jobs whose success is committed.", ("task",)
)
ATTEMPTS_FAILED = Metric(
    "soniq_sa_attempts_failed_total",
    "counter",
    "Attempts that did not succeed, by outcome, as in soniq_attempts; not begun: none is counted.",
    ("task", "outcome"),
)
JOBS_DEAD = Metric(
    "soniq_sa_jobs_dead_total",
    "counter",
    "Jobs that became dead letters, by reason.",
    ("task", "reason"),
)
JOBS_SNOOZED = Metric(
    "soniq_sa_jobs_snoozed_total", "counter", "Jobs that their handlers put off.", ("task",)
)
JOBS_CANCELLED = Metric(
    "soniq_sa_jobs_cancelled_total",
    "counter",
    "Jobs that were cancelled while they ran.",
    ("task",),
)
JOBS_LOST = Metric(
    "soniq_sa_jobs_lost_total",
    "counter",
    "Jobs that belonged to another worker when this one wanted to write their end.",
    ("task",),
)
HANDLERS_ABANDONED = Metric(
    "soniq_sa_handlers_abandoned_total",
    "counter",
    "Handlers that did not end when the worker did.",
    ("task",),
)
JOBS_RELEASED = Metric(
    "soniq_sa_jobs_released_total",
    "counter",
    "Jobs that this worker gave back, by reason: lost answer (to its claim) or worker stopped.",
    ("reason",),
)
JOBS_RESCUED = Metric(
    "soniq_sa_jobs_rescued_total",
    "counter",
    "Jobs taken over from dead workers, by the state that they got: queued or dead.",
    ("state",),
)
JOBS_PRUNED = Metric(
    "soniq_sa_jobs_pruned_total", "counter", "Jobs deleted because their retention was over."
)
JOBS_HELD = Metric(
    "soniq_sa_jobs_held_total",
    "counter",
    "Refusals to delete a job whose retention was over; it is tried again later.",
)
LOOP_BLOCKS = Metric(
    "soniq_sa_event_loop_blocks_total",
    "counter",
    "Times that a handler blocked the event loop, counted while it still did.",
    ("task",),
)
LOOP_BLOCKED_SECONDS = Metric(
    "soniq_sa_event_loop_blocked_seconds_total",
    "counter",
    "Seconds for which handlers have blocked the event loop, added when it was free again.",
    ("task",),
)
LOOP_BLOCKED = Metric(
    "soniq_sa_event_loop_blocked", "gauge", "1 while a handler blocks the event loop.", ("task",)
)
LEASES_LET_GO = Metric(
    "soniq_sa_leases_let_go_total",
    "counter",
    "Times that a handler blocked the event loop for longer than its attempt may take.",
    ("task",),
)
LEASE_LOST = Metric(
    "soniq_sa_lease_lost_total", "counter", "Times that this worker was taken for dead."
)
DATABASE_LOST = Metric(
    "soniq_sa_database_lost_total",
    "counter",
    "Times that a part of the worker lost the database.",
    ("part",),
)
DATABASE_UP = Metric(
    "soniq_sa_database_up",
    "gauge",
    "0 while a part of the worker cannot reach the database, 1 when it is back.",
    ("part",),
)
SCHEMA_BEHIND = Metric(
    "soniq_sa_schema_behind", "gauge", "1 if a migration of this release has not run yet."
)
WAKEUPS_UNHEARD = Metric(
    "soniq_sa_wakeups_unheard",
    "gauge",
    "1 if a pooler keeps wake-ups from the worker, which then polls.",
)
PARTS_FAILED = Metric(
    "soniq_sa_parts_failed_total",
    "counter",
    "Errors of a part of the worker that nobody foresaw; it tries again.",
    ("part",),
)
HOOKS_FAILED = Metric(
    "soniq_sa_hooks_failed_total",
    "counter",
    "Hooks that raised, by kind, such as before_job; the jobs went on.",
    ("kind",),
)
RESOURCES_FAILED = Metric(
    "soniq_sa_resources_failed_total", "counter", "Failures of a resource.", ("resource",)
)
WORKER_INFO = Metric(
    "soniq_sa_worker_info",
    "gauge",
    "1, with the release, the event loop, how its death is noticed, and the queues.",
    ("version", "loop", "liveness", "queues"),
)
WORKER_CONCURRENCY = Metric(
    "soniq_sa_worker_concurrency", "gauge", "How many jobs the worker runs at a time."
)
WORKER_RUNNING = Metric(
    "soniq_sa_worker_running", "gauge", "1 from the time that the worker claims jobs to its end."
)
WORKER_DRAINING = Metric(
    "soniq_sa_worker_draining", "gauge", "1 while the worker waits for its last handlers."
)

METRICS = tuple(one for one in list(globals().values()) if isinstance(one, Metric))
"""All of them, in the order of this file."""
