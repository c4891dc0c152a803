"""``include_tables``, overriding, and what is refused."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, Index, MetaData, func, inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    declared_attr,
    mapped_column,
    relationship,
)

from soniq_sa import (
    ConfigurationError,
    MixinOrderError,
    Soniq,
    SoniqSession,
    TablesMissingError,
)
from soniq_sa.models import (
    AttemptMixin,
    JobMixin,
    ProgressMixin,
    WorkerMixin,
    include_tables,
    job_fk,
)

MIXINS = (JobMixin, AttemptMixin, ProgressMixin, WorkerMixin)
CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def new_base(**options: Any) -> Any:
    class Base(DeclarativeBase):
        metadata = MetaData(**options)

    return Base


def enqueue_and_read(base: Any, engine: Engine) -> list[Any]:
    """Enqueue a job through the tables in ``base`` and return the rows."""
    soniq = Soniq(base.metadata)
    task = soniq.job(name="task")(lambda: None)
    with SoniqSession(engine) as session, session.begin():
        session.enqueue(task)
        session.enqueue_many(task, [{}])
    with engine.connect() as connection:
        return list(connection.execute(select(soniq.models.jobs)).all())


def test_a_foreign_key_to_a_job_may_have_a_name() -> None:
    assert job_fk(name="fk_report_job").name == "fk_report_job"
    assert job_fk().name is None


def test_create_all_makes_the_tables_of_soniq_and_no_others(engine: Engine) -> None:
    base = new_base()

    class Order(base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)

    include_tables(base.metadata)
    soniq = Soniq(base.metadata)
    soniq.create_all(engine)
    soniq.create_all(engine)
    with engine.begin() as connection:
        soniq.create_all(connection)
    assert set(inspect(engine).get_table_names()) == {
        "soniq_attempts",
        "soniq_jobs",
        "soniq_progress",
        "soniq_workers",
    }
    assert len(enqueue_and_read(base, engine)) == 2


async def test_create_all_is_awaited_with_an_async_engine(async_engine: AsyncEngine) -> None:
    base = new_base()
    include_tables(base.metadata)
    soniq = Soniq(base.metadata, engine=async_engine)
    await soniq.create_all(async_engine)
    handle = await soniq.enqueue(soniq.job(name="task")(lambda: None))
    async with async_engine.connect() as connection:
        assert await connection.scalar(select(soniq.models.jobs.c.id)) == handle.id
    await soniq.databases.dispose()


def test_several_bases_have_tables_of_their_own(engine: Engine) -> None:
    first, second = new_base(), new_base()
    include_tables(first.metadata)
    include_tables(second.metadata, prefix="other_")
    first.metadata.create_all(engine)
    second.metadata.create_all(engine)
    assert len(enqueue_and_read(first, engine)) == 2
    assert len(enqueue_and_read(second, engine)) == 2
    assert Soniq(first.metadata).models.Job is not Soniq(second.metadata).models.Job


@pytest.mark.parametrize("where", ["argument", "metadata", "class"])
def test_the_tables_may_be_in_a_schema(engine: Engine, where: str) -> None:
    base = new_base(schema="work") if where == "metadata" else new_base()
    if where == "class":
        for mixin in MIXINS:
            type(f"Own{mixin.__name__}", (mixin, base), {"__table_args__": {"schema": "work"}})
    include_tables(base.metadata, **({"schema": "work"} if where == "argument" else {}))
    base.metadata.create_all(engine)
    assert len(enqueue_and_read(base, engine)) == 2
    assert len(inspect(engine).get_table_names(schema="work")) == len(MIXINS)
    assert inspect(engine).get_table_names() == []


def test_the_prefix_names_tables_and_indexes(engine: Engine) -> None:
    base = new_base()
    models = include_tables(base.metadata, prefix="bg_")
    base.metadata.create_all(engine)
    assert set(inspect(engine).get_table_names()) == {
        "bg_jobs",
        "bg_attempts",
        "bg_progress",
        "bg_workers",
    }
    assert {index["name"] for index in inspect(engine).get_indexes("bg_jobs")} == {
        "ix_bg_jobs_claim_1",
        "ix_bg_jobs_dead_1",
        "ix_bg_jobs_due_1",
        "ix_bg_jobs_owner_1",
        "ix_bg_jobs_prune_1",
        "ix_bg_jobs_suspect_1",
    }
    assert models.Job.__tablename__ == "bg_jobs"
    assert len(enqueue_and_read(base, engine)) == 2


def test_a_naming_convention_leaves_our_names_alone(engine: Engine) -> None:
    base = new_base(naming_convention=CONVENTION)
    include_tables(base.metadata)
    base.metadata.create_all(engine)
    found = inspect(engine)
    assert [check["name"] for check in found.get_check_constraints("soniq_jobs")] == [
        "ck_soniq_jobs_state_1"
    ]
    assert found.get_pk_constraint("soniq_jobs")["name"] == "pk_soniq_jobs"
    assert "ix_soniq_jobs_claim_1" in {index["name"] for index in found.get_indexes("soniq_jobs")}


def test_the_database_refuses_an_unknown_state(engine: Engine) -> None:
    base = new_base()
    job = include_tables(base.metadata).Job
    base.metadata.create_all(engine)
    with SoniqSession(engine) as session:
        session.add(job(task="task", state="lost"))
        with pytest.raises(IntegrityError, match="state_1"):
            session.flush()


def test_columns_and_relations_of_the_user(engine: Engine) -> None:
    base = new_base()

    class Tenant(base):
        __tablename__ = "tenants"
        id: Mapped[int] = mapped_column(primary_key=True)
        jobs: Mapped[list[Job]] = relationship(back_populates="tenant")

    class Job(JobMixin, base):
        tenant_id: Mapped[int | None] = mapped_column(ForeignKey("tenants.id"))
        tenant: Mapped[Tenant | None] = relationship(back_populates="jobs")

        def shout(self) -> str:
            return self.task.upper()

    base.registry._class_registry.update(Job=Job, Tenant=Tenant)  # noqa: SLF001 - local classes
    include_tables(base.metadata)
    base.metadata.create_all(engine)
    task = Soniq(base.metadata).job(name="task")(lambda: None)
    with SoniqSession(engine) as session, session.begin():
        tenant = Tenant()
        session.add(tenant)
        handle = session.enqueue(task)
        handle.row.tenant = tenant
        session.flush()
        assert tenant.jobs == [handle.row]
        assert handle.row.shout() == "TASK"
        assert handle.row.tenant_id == tenant.id


class CycleBase(DeclarativeBase):
    """A base for classes that refer to each other."""


class Report(CycleBase):
    """Knows its job, while the job knows its report."""

    __tablename__ = "a_reports"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[uuid.UUID | None] = mapped_column(job_fk())
    job: Mapped[CycleJob | None] = relationship(foreign_keys=[job_id])


class CycleJob(JobMixin, CycleBase):
    """The job of a report."""

    report_id: Mapped[int | None] = mapped_column(ForeignKey("a_reports.id"))
    report: Mapped[Report | None] = relationship(foreign_keys=[report_id], post_update=True)


include_tables(CycleBase.metadata)


def test_a_row_and_its_job_refer_to_each_other(engine: Engine) -> None:
    CycleBase.metadata.create_all(engine)
    soniq = Soniq(CycleBase.metadata)

    @soniq.job
    def print_report(report: Report) -> None:
        del report

    with SoniqSession(engine) as session, session.begin():
        report = Report()
        session.add(report)
        handle = session.enqueue(print_report, report)
        report.job, handle.row.report = handle.row, report
    with SoniqSession(engine) as session:
        found = session.get(CycleJob, handle.id)
        assert found is not None
        assert found.report is not None
        assert found.report.job is found
        assert found.args == {"report": found.report_id}


def test_a_foreign_key_to_the_job_is_checked_at_commit_and_lets_jobs_go(engine: Engine) -> None:
    base = new_base()

    class AReport(base):
        __tablename__ = "a_reports"
        id: Mapped[int] = mapped_column(primary_key=True)
        job_id: Mapped[uuid.UUID | None] = mapped_column(job_fk())

    include_tables(base.metadata)
    base.metadata.create_all(engine)
    task = Soniq(base.metadata).job(name="task")(lambda: None)
    with SoniqSession(engine) as session:
        report = AReport(job_id=session.enqueue(task).id)
        session.add(report)
        session.commit()
        session.delete(session.get(Soniq(base.metadata).models.Job, report.job_id))
        session.commit()
        session.refresh(report)
        assert report.job_id is None
        session.add(AReport(job_id=uuid.uuid4()))
        session.flush()
        with pytest.raises(IntegrityError):
            session.commit()


@pytest.mark.parametrize("schema", [None, "work"])
def test_the_foreign_key_takes_the_column_itself(schema: str | None, engine: Engine) -> None:
    base = new_base()
    job = include_tables(base.metadata, schema=schema, prefix="bg_").Job

    class Report(base):
        __tablename__ = "reports"
        id: Mapped[int] = mapped_column(primary_key=True)
        job_id: Mapped[uuid.UUID | None] = mapped_column(job_fk(job.id, ondelete="CASCADE"))

    (key,) = Report.__table__.foreign_keys
    assert (key.ondelete, key.deferrable, key.initially) == ("CASCADE", True, "DEFERRED")
    assert key.column is job.__table__.c.id
    base.metadata.create_all(engine)


@pytest.mark.parametrize("mixin", MIXINS)
@pytest.mark.parametrize("dataclass", [False, True], ids=["plain", "dataclass"])
def test_the_wrong_order_says_what_to_write(mixin: Any, *, dataclass: bool) -> None:
    bases = (MappedAsDataclass, DeclarativeBase) if dataclass else (DeclarativeBase,)
    base = type("Base", bases, {})
    name = mixin.__name__
    with pytest.raises(MixinOrderError) as error:
        type("Own", (base, mixin), {})
    assert f"Write: class Own({name}, Base)." in str(error.value)


def test_a_single_table_subclass_is_a_job_of_the_same_table(engine: Engine) -> None:
    base = new_base()

    class Job(JobMixin, base):
        kind: Mapped[str] = mapped_column(default="job")

        @declared_attr.directive
        def __mapper_args__(cls) -> Any:  # noqa: N805 - of a class
            own = {"polymorphic_identity": cls.__name__.lower()}
            return {"polymorphic_on": "kind", **own} if cls.__name__ == "Job" else own

    class Special(Job):
        extra: Mapped[str | None] = mapped_column(use_existing_column=True)

    assert include_tables(base.metadata).Job is Job
    base.metadata.create_all(engine)
    assert len(enqueue_and_read(base, engine)) == 2
    with SoniqSession(engine) as session:
        session.add(Special(task="special", extra="a"))
        session.commit()
        assert session.scalars(select(Special)).one().task == "special"


def test_an_abstract_base_between(engine: Engine) -> None:
    base = new_base()

    class Stamped(base):
        __abstract__ = True
        note: Mapped[str | None]

    class AbstractJob(JobMixin, base):
        __abstract__ = True

    class Job(AbstractJob, Stamped):
        tenant: Mapped[str | None]

    assert include_tables(base.metadata).Job is Job
    base.metadata.create_all(engine)
    assert {"note", "tenant", "task"} <= set(base.metadata.tables["soniq_jobs"].c.keys())
    assert len(enqueue_and_read(base, engine)) == 2


def test_name_and_arguments_of_the_table_may_be_overridden(engine: Engine) -> None:
    base = new_base()

    class Job(JobMixin, base):
        __tablename__ = "background"
        __table_args__ = (Index("by_tenant", "tenant"), {"comment": "ours"})
        tenant: Mapped[str | None]

    include_tables(base.metadata)
    base.metadata.create_all(engine)
    found = inspect(engine)
    assert found.get_table_comment("background")["text"] == "ours"
    names = {index["name"] for index in found.get_indexes("background")}
    assert {"by_tenant", "ix_background_claim_1"} <= names
    assert len(enqueue_and_read(base, engine)) == 2
    assert Job.__table__.name == "background"


def test_a_column_of_ours_may_be_overridden(engine: Engine) -> None:
    base = new_base()

    class Job(JobMixin, base):
        error: Mapped[str | None] = mapped_column(comment="what went wrong")

    include_tables(base.metadata)
    base.metadata.create_all(engine)
    assert Job.__table__.c.error.comment == "what went wrong"
    assert len(enqueue_and_read(base, engine)) == 2


def test_a_second_job_table_in_one_metadata_is_refused() -> None:
    base = new_base()

    class Job(JobMixin, base):
        pass

    with pytest.raises(ConfigurationError, match="Second and Job are both the jobs table"):

        class Second(JobMixin, base):
            __tablename__ = "second"

    assert include_tables(base.metadata).Job is Job


def test_a_class_behind_include_tables_says_so() -> None:
    base = new_base()
    include_tables(base.metadata)
    with pytest.raises(Exception, match=r"soniq_jobs|include_tables"):

        class Job(JobMixin, base):
            pass


def test_including_twice_adds_nothing() -> None:
    base = new_base()
    assert include_tables(base.metadata) == include_tables(base.metadata)
    assert include_tables(base.metadata, prefix="other_") == include_tables(base.metadata)
    assert len(base.metadata.tables) == len(MIXINS)


def test_metadata_without_tables_says_what_to_write() -> None:
    soniq = Soniq(new_base().metadata)
    with pytest.raises(TablesMissingError, match=r"include_tables\(Base.metadata\)"):
        _ = soniq.models
    with pytest.raises(TablesMissingError, match="jobs, attempts, progress, workers"):
        SoniqSession().enqueue(soniq.job(name="task")(lambda: None))


def test_tables_may_be_included_after_the_tasks_are_registered() -> None:
    base = new_base()
    soniq = Soniq(base.metadata)
    task = soniq.job(name="task")(lambda: None)
    with pytest.raises(TablesMissingError):
        SoniqSession().enqueue(task)
    include_tables(base.metadata)
    assert SoniqSession().enqueue(task).row is not None


def test_columns_of_the_user_get_defaults_and_expressions_from_many_jobs_too(
    engine: Engine,
) -> None:
    base = new_base()
    numbers = itertools.count()

    class Job(JobMixin, base):
        number: Mapped[int] = mapped_column(default=lambda: next(numbers))
        zone: Mapped[str | None] = mapped_column(default="eu")

    include_tables(base.metadata)
    base.metadata.create_all(engine)
    task = Soniq(base.metadata).job(name="task")(lambda: None)
    options = task.options(columns={"number": 7, "zone": func.upper("us")})
    with SoniqSession(engine) as session, session.begin():
        session.enqueue_many(task, [{}, {}])
        session.enqueue_many(options, [{}])
        session.enqueue(options)
    with engine.connect() as connection:
        found = connection.execute(select(Job.number, Job.zone).order_by(Job.id)).all()
    assert found == [(0, "eu"), (0, "eu"), (7, "US"), (7, "US")]
