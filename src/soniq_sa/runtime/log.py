"""Writes the events of a worker to the standard logging: one subscriber among others."""

from __future__ import annotations

import logging

from soniq_sa import events

_log = logging.getLogger("soniq_sa")


def log_event(event: events.Event) -> None:
    """Write ``event`` to the logger ``soniq_sa``. Successful jobs are on level DEBUG."""
    level, message = _describe(event)
    if _log.isEnabledFor(level):
        _log.log(level, message)


def _describe(event: events.Event) -> tuple[int, str]:  # noqa: C901, PLR0911 - one case an event
    match event:
        case events.WorkerStarted():
            queues = ", ".join(event.queues) or "all"
            liveness = "lease and lock" if event.direct else "lease"
            return logging.INFO if event.tasks else logging.WARNING, (
                f"worker {event.worker_id} started: {event.database}, queues: {queues}, "
                f"{len(event.tasks)} tasks, concurrency {event.concurrency}, liveness: {liveness}"
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
        case events.JobsDone():
            return logging.DEBUG, f"{len(event.job_ids)} jobs done"
        case events.JobFailed():
            return logging.WARNING, _describe_failure(event)
        case events.JobLost():
            return logging.WARNING, (
                f"job {event.task} {event.job_id} belongs to another worker by now; "
                "what this one found out is dropped"
            )
        case events.LeaseLost():
            return logging.WARNING, (
                f"this worker was taken for dead: {event.running} running jobs are dropped, "
                "it goes on under a new id"
            )
        case events.JobsRescued():
            return logging.WARNING, (
                f"took over from dead workers: {event.queued} jobs queued again, "
                f"{event.dead} dead after too many crashes"
            )
        case events.JobsReleased():
            return logging.WARNING, f"released {event.count} jobs whose claim got no answer"
        case events.HandlerAbandoned():
            return logging.WARNING, (
                f"the handler of {event.task} {event.job_id} does not end, and is left alone"
            )
        case _:
            return _describe_rarer(event)


def _describe_rarer(event: events.Event) -> tuple[int, str]:  # noqa: PLR0911 - one case an event
    match event:
        case events.JobSnoozed():
            return logging.INFO, (
                f"job {event.task} {event.job_id} snoozed for {event.delay:g} s{_because(event.reason)}"
            )
        case events.JobCancelled():
            return (
                logging.INFO,
                f"job {event.task} {event.job_id} cancelled{_because(event.reason)}",
            )
        case events.DatabaseLost():
            return logging.WARNING, (
                f"{event.part}: no database ({event.error}); tries again until it is back"
            )
        case events.DatabaseBack():
            return logging.INFO, f"{event.part}: the database is back"
        case events.SchemaBehind():
            return logging.WARNING, (
                f"{event.database} lacks {', '.join(event.columns)}: a migration of this release of "
                "soniq-sa has not run yet; goes on without. Run: alembic upgrade head"
            )
        case events.HookFailed():
            return logging.ERROR, (
                f"{event.kind} {event.hook} failed at job {event.task} {event.job_id}, which goes on: "
                f"{event.error}"
            )
        case events.ResourceFailed():
            return logging.ERROR, f"resource {event.resource} failed {event.when}: {event.error}"
        case events.PartFailed():
            return logging.ERROR, f"{event.part} failed, and tries again: {event.error}"
        case _:
            return logging.INFO, repr(event)


def _because(reason: str | None) -> str:
    return f": {reason[:500]!r}" if reason else ""


def _describe_failure(event: events.JobFailed) -> str:
    failure = event.failure
    if failure.delay is None or event.attempt >= event.max_attempts:
        ending = f"dead ({failure.reason})"
    else:
        ending = f"again in {failure.delay:g} s"
    if failure.outcome is None:
        return f"job {event.task} {event.job_id} was not begun, {ending}"
    return (
        f"job {event.task} {event.job_id} {failure.outcome} in attempt {event.attempt} of "
        f"{event.max_attempts}, {ending}: {failure.summary[:500]!r}"
    )
