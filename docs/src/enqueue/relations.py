import os
import uuid

from soniq_sa import Soniq, SoniqSession
from soniq_sa.models import JobMixin, include_tables, job_fk
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


# region models
class Job(JobMixin, Base):  # the mixin comes first
    tenant_id: Mapped[int | None]


class Report(Base):
    __tablename__ = "reports"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[uuid.UUID | None] = mapped_column(job_fk())
    job: Mapped[Job | None] = relationship()


include_tables(Base.metadata)  # adds what is not declared above
# endregion

soniq = Soniq(Base.metadata)


@soniq.job
def build(report: Report) -> None: ...


engine = create_engine(os.environ["DATABASE_URL"].replace("+asyncpg", "+psycopg"))
Base.metadata.create_all(engine)

with SoniqSession(engine) as session:
    # region row
    report = Report()
    session.add(report)
    handle = session.enqueue(build, report)
    handle.row.tenant_id = 7
    report.job = handle.row
    session.commit()
    # endregion
    job = session.scalars(select(Job)).one()
    assert (report.job_id, job.tenant_id, job.args) == (handle.id, 7, {"report": report.id})
engine.dispose()
