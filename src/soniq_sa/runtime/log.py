"""Writes the events of a worker to the standard logging: one subscriber among others.

One event is one record, on one line. A traceback follows on lines that begin with ``    | ``, as no
record does. What comes from jobs cannot break or colour these lines: see `soniq_sa.lines`.
"""

from __future__ import annotations

import logging

from soniq_sa import events
from soniq_sa.lines import record
from soniq_sa.states import Reason

_log = logging.getLogger("soniq_sa")


Line = tuple[int, str]
"""A level and a message."""


def log_event(event: events.Event) -> None:
    """Write ``event`` to the logger ``soniq_sa``. Successful jobs are on level DEBUG."""
    level, message = (
        _of_worker(event)
        or _of_loop(event)
        or _of_job(event)
        or _of_upkeep(event)
        or (logging.INFO, repr(event))
    )
    if _log.isEnabledFor(level):
        _log.log(level, "%s", record(message, _trace_of(event)))


def _trace_of(event: events.Event) -> str:
    match event:
        case events.HookFailed() | events.ResourceFailed() | events.PartFailed():
            return event.error
        case events.LoopBlocked():
            return event.stack
        case _:
            return ""


def _raised(trace: str) -> str:
    """Return the last line of a traceback: it says what was raised."""
    return (trace.strip().splitlines() or [""])[-1].strip()


def _of_worker(event: events.Event) -> Line | None:  # noqa: PLR0911 - one case an event
    match event:
        case events.WorkerStarted():
            queues = ", ".join(event.queues) or "all"
            liveness = "lease and lock" if event.direct else "lease"
            return logging.INFO if event.tasks else logging.WARNING, (
                f"worker {event.worker_id} started: {event.database}, queues: {queues}, "
                f"{len(event.tasks)} tasks, concurrency {event.concurrency}, loop: {event.loop}, "
                f"liveness: {liveness}"
            )
        case events.WorkerDraining(running=0):
            return logging.INFO, "worker stops: nothing runs"
        case events.WorkerDraining():
            return logging.INFO, (
                f"worker stops: no new jobs, {event.running} running, waits up to "
                f"{event.timeout:g} s; a second signal stops it at once"
            )
        case events.WorkerStopped():
            return logging.INFO, f"worker stopped, {event.released} jobs released"
        case events.LeaseLost():
            return logging.WARNING, (
                f"this worker was taken for dead: {event.running} running jobs are dropped, "
                "it goes on under a new id"
            )
        case events.HandlerAbandoned():
            return logging.WARNING, (
                f"the handler of {event.task} {event.job_id} does not end, and is left alone"
            )
        case events.SchemaBehind():
            return logging.WARNING, (
                f"{event.database} lacks {', '.join(event.columns)}: a migration of this release of "
                "soniq-sa has not run yet; goes on without. Run: alembic upgrade head"
            )
        case events.HookFailed():
            return logging.ERROR, (
                f"{event.kind} {event.hook} failed at job {event.task} {event.job_id}, which goes on: "
                f"{_raised(event.error)}"
            )
        case events.ResourceFailed():
            return logging.ERROR, (
                f"resource {event.resource} failed {event.when}: {_raised(event.error)}"
            )
        case _:
            return None


def _of_loop(event: events.Event) -> Line | None:
    match event:
        case events.LoopBlocked():
            level = logging.DEBUG if event.gil_held else logging.WARNING  # the guard has logged it
            return level, (
                f"the event loop has been blocked for {event.seconds:.1f} s by "
                f"{_blamed(event)}; all other async handlers wait. It is at:"
            )
        case events.LoopFreed():
            return logging.WARNING, (
                f"the event loop runs again, {event.task or 'something'} has blocked it for "
                f"{event.seconds:.1f} s"
            )
        case events.LeaseLetGo():
            return logging.ERROR, (
                f"{event.task or 'something'} has blocked the event loop for {event.seconds:.1f} s, longer "
                "than an attempt may take: the lease is not renewed, and the jobs of this worker start elsewhere"
            )
        case _:
            return None


def _of_job(event: events.Event) -> Line | None:  # noqa: PLR0911 - one case an event
    match event:
        case events.JobsDone():
            return logging.DEBUG, f"{len(event.job_ids)} jobs done"
        case events.JobFailed():
            return logging.WARNING, _describe_failure(event)
        case events.JobDied():
            told = event.reason != Reason.CRASHED_WORKER  # as a failed attempt
            level = logging.DEBUG if told else logging.ERROR
            return level, f"job {event.task} {event.job_id} is dead: {event.reason}"
        case events.JobLost():
            return logging.WARNING, (
                f"job {event.task} {event.job_id} belongs to another worker by now; "
                "what this one found out is dropped"
            )
        case events.JobSnoozed():
            return logging.INFO, (
                f"job {event.task} {event.job_id} snoozed for {event.delay:g} s{_because(event.reason)}"
            )
        case events.JobCancelled():
            return (
                logging.INFO,
                f"job {event.task} {event.job_id} cancelled{_because(event.reason)}",
            )
        case _:
            return None


def _of_upkeep(event: events.Event) -> Line | None:  # noqa: PLR0911 - one case an event
    match event:
        case events.JobsRescued():
            return logging.WARNING, (
                f"took over from dead workers: {event.queued} jobs queued again, "
                f"{event.dead} dead after too many crashes"
            )
        case events.JobsReleased():
            return logging.WARNING, f"released {event.count} jobs whose claim got no answer"
        case events.JobsPruned():
            return logging.DEBUG, f"{event.count} jobs deleted whose retention was over"
        case events.JobsHeld():
            return logging.WARNING, (
                f"{len(event.job_ids)} jobs whose retention is over cannot be deleted, and are kept for "
                f"some time more: {event.why}"
            )
        case events.DatabaseLost():
            what = "a statement was cut or refused" if event.connected else "no database"
            return logging.WARNING, (f"{event.part}: {what} ({event.error}); tries again")
        case events.DatabaseBack():
            return logging.INFO, f"{event.part}: the database is back"
        case events.WakeupsUnheard():
            return logging.WARNING, (
                f"no wake-ups: behind {event.database} is a connection pooler, through which nothing "
                "can listen. Looks for jobs once in a poll interval. To be woken, set "
                "SONIQ_SA_LISTEN_URL to the server itself"
            )
        case events.PartFailed():
            return logging.ERROR, f"{event.part} failed, and tries again: {_raised(event.error)}"
        case _:
            return None


def _blamed(event: events.LoopBlocked) -> str:
    if event.task is None:
        return "something that is not a handler"
    return event.task if event.job_id is None else f"{event.task} {event.job_id}"


def _because(reason: str | None) -> str:
    return f": {reason[:500]!r}" if reason else ""


def _describe_failure(event: events.JobFailed) -> str:
    failure = event.failure
    ending = f"dead ({failure.reason})" if event.is_final else f"again in {failure.delay:g} s"
    if failure.outcome is None:
        return f"job {event.task} {event.job_id} was not begun, {ending}"
    return (
        f"job {event.task} {event.job_id} {failure.outcome} in attempt {event.attempt} of "
        f"{event.max_attempts}, {ending}: {failure.summary[:500]!r}"
    )
