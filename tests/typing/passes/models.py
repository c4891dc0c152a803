"""The job row is a mapped class like the application's own."""

import uuid
from datetime import datetime
from typing import Any, assert_type

from sqlalchemy import ForeignKey, func, select
from sqlalchemy.orm import (
    DeclarativeBase,
    InstrumentedAttribute,
    Mapped,
    MappedAsDataclass,
    mapped_column,
)

from shop import Job, Order, Report, remind, send_invoice
from soniq_sa import SoniqSession
from soniq_sa.models import AttemptMixin, JobMixin, WorkerMixin

assert_type(Job.id, InstrumentedAttribute[uuid.UUID])
assert_type(Job.state, InstrumentedAttribute[str])
assert_type(Job.tenant_id, InstrumentedAttribute[int | None])


def reading(session: SoniqSession) -> None:
    job = session.scalars(select(Job).where(Job.state == "queued", Job.tenant_id == 1)).one()
    assert_type(job, Job)
    assert_type(job.id, uuid.UUID)
    assert_type(job.task, str)
    assert_type(job.queue, str)
    assert_type(job.state, str)
    assert_type(job.priority, int)
    assert_type(job.run_at, datetime)
    assert_type(job.args, dict[str, Any])
    assert_type(job.attempts, int)
    assert_type(job.max_attempts, int)
    assert_type(job.claims, int)
    assert_type(job.crashes, int)
    assert_type(job.worker_id, uuid.UUID | None)
    assert_type(job.claimed_at, datetime | None)
    assert_type(job.finished_at, datetime | None)
    assert_type(job.error, str | None)
    assert_type(job.reason, str | None)
    assert_type(job.created_at, datetime)
    assert_type(job.tenant_id, int | None)
    session.execute(select(Job.state, func.count()).group_by(Job.state))
    session.get(Job, job.id)


def related(session: SoniqSession, report: Report, order: Order) -> None:
    handle = session.enqueue(send_invoice, order)
    report.job_id = handle.id
    assert_type(report.job, Job | None)
    session.scalars(select(Report).join(Report.job).where(Job.reason.is_(None)))
    assert_type(handle.id, uuid.UUID)
    assert_type(handle.name, str)
    assert_type(handle.row, Any)
    assert_type(session.enqueue(remind, 1).id, uuid.UUID)


class DataBase(MappedAsDataclass, DeclarativeBase):
    pass


class DataJob(JobMixin, DataBase):
    tenant_id: Mapped[int | None] = mapped_column(ForeignKey("tenants.id"), default=None)


class DataAttempt(AttemptMixin, DataBase):
    __tablename__ = "attempts"


class DataWorker(WorkerMixin, DataBase):
    pass


assert_type(DataJob(tenant_id=1).run_at, datetime)
assert_type(DataAttempt.outcome, InstrumentedAttribute[str])
assert_type(DataAttempt.claim, InstrumentedAttribute[int])
assert_type(DataWorker.lock_key, InstrumentedAttribute[int | None])
assert_type(DataWorker.expires_at, InstrumentedAttribute[datetime])
