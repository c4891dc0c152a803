"""Options, retries, outcomes and results have the types that the pages show."""

from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import assert_type

from shop import Order, render, send_invoice, soniq
from soniq_sa import (
    Cancel,
    Discard,
    JobContext,
    JobHandle,
    JobOptions,
    JobTimeoutError,
    Priority,
    Retry,
    RetryPolicy,
    Snooze,
    SoniqSession,
    inject,
)


def patient(error: BaseException, attempt: int) -> float | None:
    return 2.0**attempt if isinstance(error, ConnectionError) else None


class Steady:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, error: BaseException, attempt: int, /) -> float:
        return self.seconds * attempt if error else 0.0


policy: RetryPolicy = patient
other_policy: RetryPolicy = Steady(5)


@soniq.job(
    priority=Priority.HIGH,
    retries=10,
    retry_delay=[1, timedelta(minutes=1)],
    retry_backoff=2,
    retry_max_delay=timedelta(hours=1),
    retry_jitter=0.5,
    retry_on=(ConnectionError, TimeoutError),
    give_up_on=JobTimeoutError,
    retry_policy=patient,
    timeout=timedelta(seconds=30),
    expires_in=3600,
    aliases=["call_partner"],
)
async def ask_partner(number: int, *, ctx: JobContext = inject()) -> int | Snooze | Retry:
    if number == 0:
        return Snooze(timedelta(minutes=1), "not yet")
    if ctx.tags and ctx.headers.get("traceparent"):
        return Retry()
    return number


@soniq.job(retry_policy=Steady(5))
def close_books(year: int) -> Cancel | Discard | None:
    if year == 0:
        return Cancel("no such year")
    return Discard() if year < 0 else None


def options(session: SoniqSession, order: Order) -> None:
    task = send_invoice.options(
        queue="bulk",
        priority=Priority.BATCH,
        delay=timedelta(minutes=1),
        retries=0,
        timeout=0.5,
        expires_in=timedelta(hours=1),
        tags=["eu", "monthly"],
        headers={"traceparent": "00-ab"},
        columns={"tenant_id": 7},
    )
    assert_type(session.enqueue(task, order), JobHandle[str])
    session.enqueue(render.options(run_at=datetime(2040, 1, 1, tzinfo=UTC), tags=("a",)), order)
    session.enqueue(send_invoice.options(headers=MappingProxyType({"a": "b"}), tags={"a"}), order)
    chosen: JobOptions = {"priority": 7, "tags": ["a"]}
    session.enqueue(send_invoice.options(**chosen), order)
