"""How PostgreSQL stores the tables: storage parameters, and what a crash of the server leaves."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine, ForeignKey, MetaData, create_engine, inspect, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from soniq_sa import ConfigurationError, OptionError, UnknownOptionError
from soniq_sa.models import JobMixin, include_tables, job_fk
from tests.models.migrating import PLUGIN, WITHOUT_PLUGIN, Migration, migrate

OF_JOBS = {
    "autovacuum_analyze_scale_factor": "0",
    "autovacuum_analyze_threshold": "10000",
    "autovacuum_vacuum_insert_scale_factor": "0",
    "autovacuum_vacuum_insert_threshold": "50000",
    "autovacuum_vacuum_scale_factor": "0",
    "autovacuum_vacuum_threshold": "5000",
    "fillfactor": "70",
    "vacuum_truncate": "false",
}
OTHERS: dict[str, dict[str, str]] = {
    "soniq_attempts": {},
    "soniq_progress": {"fillfactor": "50"},
    "soniq_workers": {"fillfactor": "50"},
}

CHOICES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "none": ({}, OF_JOBS),
    "another value": ({"fillfactor": 90}, {**OF_JOBS, "fillfactor": "90"}),
    "one left to the server": (
        {"vacuum_truncate": None},
        {name: value for name, value in OF_JOBS.items() if name != "vacuum_truncate"},
    ),
    "all left to the server": (dict.fromkeys(OF_JOBS), {}),
    "others": (
        {
            "autovacuum_enabled": False,
            "autovacuum_vacuum_cost_delay": 0.5,
            "autovacuum_vacuum_insert_threshold": -1,
            "autovacuum_vacuum_scale_factor": 0.00001,
        },
        {
            **OF_JOBS,
            "autovacuum_enabled": "false",
            "autovacuum_vacuum_cost_delay": "0.5",
            "autovacuum_vacuum_insert_threshold": "-1",
            "autovacuum_vacuum_scale_factor": "1e-05",
        },
    ),
    "of the TOAST table": (
        {"toast.autovacuum_enabled": False, "toast.vacuum_truncate": True},
        {**OF_JOBS, "toast.autovacuum_enabled": "false", "toast.vacuum_truncate": "true"},
    ),
}
EACH_CHOICE = pytest.mark.parametrize("choice", CHOICES)


def create_all(engine: Engine, metadata: MetaData) -> None:
    metadata.create_all(engine)
    assert Migration(engine, metadata, PLUGIN).differences == []


def migrate_without_plugin(engine: Engine, metadata: MetaData) -> None:
    migrate(engine, metadata, WITHOUT_PLUGIN)
    assert Migration(engine, metadata, PLUGIN).differences == []


WAYS: dict[str, Callable[[Engine, MetaData], Any]] = {
    "create_all": create_all,
    "a migration": migrate,
    "a migration without the plugin": migrate_without_plugin,
}
EACH_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def included(**options: Any) -> MetaData:
    metadata = MetaData()
    include_tables(metadata, **options)
    return metadata


def new_base() -> Any:
    class Base(DeclarativeBase):
        pass

    return Base


def storage(engine: Engine, schema: str = "public") -> dict[str, dict[str, str]]:
    """Return the storage parameters of each table."""
    return {
        row.relname: dict(one.split("=", 1) for one in row.reloptions or ())
        for row in tables(engine, schema)
    }


def persistence(engine: Engine, schema: str = "public") -> dict[str, str]:
    """Return which tables are logged: p, and which are not: u."""
    return {row.relname: row.relpersistence for row in tables(engine, schema)}


def tables(engine: Engine, schema: str) -> list[Any]:
    with engine.connect() as connection:
        statement = text(
            "SELECT t.relname, t.relpersistence::text, t.reloptions || ARRAY("
            "  SELECT 'toast.' || unnest(reloptions) FROM pg_class WHERE oid = t.reltoastrelid"
            ") AS reloptions FROM pg_class t "
            "WHERE t.relkind = 'r' AND t.relnamespace = CAST(:schema AS regnamespace)"
        )
        return list(connection.execute(statement, {"schema": schema}).all())


@EACH_WAY
@EACH_CHOICE
def test_the_tables_have_the_parameters_that_were_chosen(
    engine: Engine, way: Any, choice: str
) -> None:
    options, expected = CHOICES[choice]
    way(engine, included(storage=options))
    assert storage(engine) == {"soniq_jobs": expected, **OTHERS}


@EACH_WAY
def test_the_parameters_hold_for_a_job_class_of_the_user(engine: Engine, way: Any) -> None:
    base = new_base()

    class Job(JobMixin, base):
        tenant: Mapped[str | None]

    include_tables(base.metadata, storage={"fillfactor": 90})
    way(engine, base.metadata)
    assert storage(engine) == {"soniq_jobs": {**OF_JOBS, "fillfactor": "90"}, **OTHERS}
    assert "tenant" in Job.__table__.c


OWN_ARGUMENTS = {
    "postgresql_using": {"postgresql_using": "heap WITH (fillfactor = 33)"},
    "postgresql_with": {"postgresql_with": {"fillfactor": 33}},
}


@EACH_WAY
@pytest.mark.parametrize("name", OWN_ARGUMENTS)
def test_a_class_with_parameters_of_its_own_keeps_those(
    engine: Engine, way: Any, name: str
) -> None:
    if name == "postgresql_with" and sqlalchemy.__version__.startswith("2.0"):
        pytest.skip("SQLAlchemy 2.0 knows it for indexes only")
    base = new_base()

    class Job(JobMixin, base):
        __table_args__ = OWN_ARGUMENTS[name]

    include_tables(base.metadata, storage={"fillfactor": 90})
    way(engine, base.metadata)
    assert storage(engine) == {"soniq_jobs": {"fillfactor": "33"}, **OTHERS}
    assert Job.__table__.name == "soniq_jobs"


@pytest.mark.parametrize(
    ("before", "after"),
    [*(("none", one) for one in CHOICES), *((one, "others") for one in CHOICES if one != "none")],
)
def test_a_change_of_the_parameters_is_one_migration_there_and_back(
    engine: Engine, before: str, after: str
) -> None:
    old, new = (included(storage=CHOICES[one][0]) for one in (before, after))
    old.create_all(engine)
    stored = storage(engine)
    migration = migrate(engine, new)
    expected = [] if before == after else ["different storage soniq_jobs"]
    assert [one.partition(":")[0] for one in migration.differences] == expected
    assert storage(engine)["soniq_jobs"] == CHOICES[after][1]
    migration.downgrade()
    assert storage(engine) == stored
    assert Migration(engine, old, PLUGIN).differences == []


def test_what_was_changed_by_hand_is_a_difference(engine: Engine) -> None:
    metadata = included()
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "ALTER TABLE soniq_jobs SET (fillfactor = 55, parallel_workers = 2);"
            "ALTER TABLE soniq_jobs RESET (vacuum_truncate);"
            "ALTER TABLE soniq_workers RESET (fillfactor)"
        )
    by_hand = storage(engine)
    migration = migrate(engine, metadata)
    assert migration.differences == [
        (
            "different storage soniq_jobs: fillfactor = 55, vacuum_truncate = unset, "
            "parallel_workers = 2 instead of fillfactor = 70, vacuum_truncate = false, "
            "parallel_workers = unset"
        ),
        "different storage soniq_workers: fillfactor = unset instead of fillfactor = 50",
    ]
    assert storage(engine) == {"soniq_jobs": OF_JOBS, **OTHERS}
    migration.downgrade()
    assert storage(engine) == by_hand


@pytest.mark.parametrize("spelled", ["off", "FALSE", "no", "0"])
def test_another_spelling_of_a_parameter_is_no_difference(engine: Engine, spelled: str) -> None:
    metadata = included(storage={"autovacuum_vacuum_cost_delay": 5})
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"ALTER TABLE soniq_jobs SET (vacuum_truncate = '{spelled}', "
            "autovacuum_vacuum_cost_delay = 5.0)"
        )
    assert storage(engine)["soniq_jobs"]["vacuum_truncate"] == spelled
    assert Migration(engine, metadata, PLUGIN).differences == []


VOLATILE = {
    "soniq_jobs": "u",
    "soniq_attempts": "u",
    "soniq_progress": "u",
    "soniq_workers": "p",
}
DURABLE = dict.fromkeys(VOLATILE, "p")


@pytest.mark.parametrize("way", [create_all, migrate])
def test_volatile_tables_are_unlogged_but_for_the_workers(engine: Engine, way: Any) -> None:
    way(engine, included(durability="volatile"))
    assert persistence(engine) == VOLATILE


@pytest.mark.parametrize("way", [create_all, migrate])
@pytest.mark.parametrize("options", [{}, {"durability": "durable"}])
def test_jobs_are_logged_unless_they_are_volatile(
    engine: Engine, way: Any, options: dict[str, str]
) -> None:
    way(engine, included(**options))
    assert persistence(engine) == DURABLE


def test_volatile_tables_of_a_schema(engine: Engine) -> None:
    create_all(engine, included(schema="work", durability="volatile"))
    assert persistence(engine, "work") == VOLATILE
    assert persistence(engine) == {}


def test_volatile_tables_of_a_translated_schema(engine: Engine) -> None:
    translated = engine.execution_options(schema_translate_map={None: "work"})
    included(durability="volatile").create_all(translated)
    assert persistence(engine, "work") == VOLATILE
    assert persistence(engine) == {}


@pytest.mark.parametrize(("before", "after"), [(DURABLE, VOLATILE), (VOLATILE, DURABLE)])
def test_a_change_of_the_durability_is_one_migration_there_and_back(
    engine: Engine, before: dict[str, str], after: dict[str, str]
) -> None:
    words = {"p": "durable", "u": "volatile"}
    old, new = (words[one["soniq_jobs"]] for one in (before, after))
    included(durability=old).create_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO soniq_jobs (id, task) VALUES (gen_random_uuid(), 'kept')"
        )
    migration = migrate(engine, included(durability=new))
    assert sorted(migration.differences) == [
        f"different durability soniq_attempts: {old} instead of {new}",
        f"different durability soniq_jobs: {old} instead of {new}",
        f"different durability soniq_progress: {old} instead of {new}",
    ]
    assert persistence(engine) == after
    migration.downgrade()
    assert persistence(engine) == before
    assert Migration(engine, included(durability=old), PLUGIN).differences == []
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT task FROM soniq_jobs")) == "kept"


def test_volatile_jobs_may_refer_to_tables_of_the_user(engine: Engine) -> None:
    base = new_base()

    class Tenant(base):
        __tablename__ = "tenants"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Job(JobMixin, base):
        tenant_id: Mapped[int | None] = mapped_column(ForeignKey(Tenant.id))

    include_tables(base.metadata, durability="volatile")
    create_all(engine, base.metadata)
    assert persistence(engine) == {**VOLATILE, "tenants": "p"}
    assert inspect(engine).get_foreign_keys("soniq_jobs")[0]["referred_table"] == "tenants"
    assert Job.__table__.name == "soniq_jobs"


ALL: dict[str, Any] = {
    "notify": "trigger",
    "durability": "volatile",
    "storage": {"fillfactor": 90, "vacuum_truncate": None, "toast.autovacuum_enabled": False},
}


@pytest.mark.parametrize("schema", [None, "work"])
def test_all_options_change_in_one_migration_there_and_back(
    engine: Engine, schema: str | None
) -> None:
    plain, other = included(schema=schema), included(schema=schema, **ALL)
    where = schema or "public"
    plain.create_all(engine)
    before = storage(engine, where), persistence(engine, where)
    there = migrate(engine, other)
    after = storage(engine, where), persistence(engine, where)
    assert after != before
    back = migrate(engine, plain)
    assert len(there.differences) == len(back.differences) == 6
    assert (storage(engine, where), persistence(engine, where)) == before
    back.downgrade()
    assert (storage(engine, where), persistence(engine, where)) == after
    assert Migration(engine, other, PLUGIN).differences == []
    there.downgrade()
    assert (storage(engine, where), persistence(engine, where)) == before
    assert Migration(engine, plain, PLUGIN).differences == []


@pytest.mark.parametrize("options", [{}, ALL], ids=["defaults", "all options"])
def test_the_downgrade_of_a_migration_that_drops_the_tables_restores_them(
    engine: Engine, options: dict[str, Any]
) -> None:
    metadata = included(**options)
    metadata.create_all(engine)
    before = storage(engine), persistence(engine)
    dropped = migrate(engine, MetaData())
    assert persistence(engine) == {}
    dropped.downgrade()
    assert (storage(engine), persistence(engine)) == before
    assert Migration(engine, metadata, PLUGIN).differences == []


def planned(metadata: MetaData) -> Callable[[Engine], Migration]:
    """Return what makes a migration to ``metadata``."""
    return lambda engine: Migration(engine, metadata, PLUGIN)


def with_report(durability: str, *, report_prefixes: list[str]) -> MetaData:
    """Return a metadata in which a table of the user refers to the jobs."""
    base = new_base()

    class Report(base):
        __tablename__ = "a_reports"
        __table_args__ = {"prefixes": report_prefixes}  # noqa: RUF012
        id: Mapped[int] = mapped_column(primary_key=True)
        job_id: Mapped[uuid.UUID | None] = mapped_column(job_fk())

    include_tables(base.metadata, durability=durability)  # type: ignore[arg-type]
    assert Report.__table__.name == "a_reports"
    return base.metadata


@pytest.mark.parametrize("way", ["create_all", "a new migration", "a migration of what is there"])
def test_a_foreign_key_of_the_user_to_volatile_jobs_is_refused_in_clear_words(
    engine: Engine, way: str
) -> None:
    metadata = with_report("volatile", report_prefixes=[])
    if way == "a migration of what is there":
        with_report("durable", report_prefixes=[]).create_all(engine)
    make = metadata.create_all if way == "create_all" else planned(metadata)
    with pytest.raises(ConfigurationError) as caught:
        make(engine)
    for part in ("durability", "a_reports.job_id", "soniq_jobs", "Drop the foreign key"):
        assert part in str(caught.value)
    assert set(persistence(engine).values()) <= {"p"}


def test_tables_of_the_user_that_are_unlogged_may_refer_to_volatile_jobs(engine: Engine) -> None:
    create_all(engine, with_report("volatile", report_prefixes=["UNLOGGED"]))
    assert persistence(engine) == {**VOLATILE, "a_reports": "u"}


def test_volatile_jobs_may_refer_to_each_other(engine: Engine) -> None:
    base = new_base()

    class Job(JobMixin, base):
        parent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("soniq_jobs.id"))

    include_tables(base.metadata, durability="volatile")
    create_all(engine, base.metadata)
    assert persistence(engine) == VOLATILE
    assert len(Job.__table__.foreign_keys) == 1  # type: ignore[attr-defined]


def test_sqlite_takes_the_tables_whatever_was_chosen() -> None:
    engine = create_engine("sqlite://")
    metadata = included(durability="volatile", storage={"fillfactor": 90}, notify="trigger")
    metadata.create_all(engine)
    assert len(inspect(engine).get_table_names()) == len(DURABLE)
    metadata.drop_all(engine)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "an unknown parameter": (
        {"storage": {"fillfacto": 90}},
        UnknownOptionError,
        r"'fillfacto'.*no such storage parameter.*Did you mean 'fillfactor'\?",
    ),
    "a parameter of indexes": ({"storage": {"fastupdate": True}}, UnknownOptionError, "fastupdate"),
    "a parameter of TOAST tables that only tables have": (
        {"storage": {"toast.autovacuum_analyze_threshold": 1}},
        UnknownOptionError,
        "toast.autovacuum_analyze_threshold",
    ),
    "a text": ({"storage": {"fillfactor": "90"}}, OptionError, r"'fillfactor': '90'.*a number"),
    "a list": ({"storage": {"fillfactor": [90]}}, OptionError, r"\[90\]"),
    "an unknown way to notify": (
        {"notify": "triger"},
        OptionError,
        "notify='triger': it takes 'after_commit' or 'trigger'",
    ),
    "an unknown durability": (
        {"durability": "lost"},
        OptionError,
        "durability='lost': it takes 'durable' or 'volatile'",
    ),
    "a long prefix": ({"prefix": "p" * 41}, OptionError, "41 bytes, and may have 40"),
    "a prefix of many bytes": ({"prefix": "ä" * 21}, OptionError, "42 bytes, and may have 40"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_where_it_is_written(case: str) -> None:
    options, error, message = REFUSED[case]
    metadata = MetaData()
    with pytest.raises(error, match=message):
        include_tables(metadata, **options)
    assert metadata.tables == {}
    assert len(included().tables) == len(DURABLE)


def test_the_longest_prefix_leaves_every_name_whole(engine: Engine) -> None:
    prefix = "p" * 40
    create_all(engine, included(prefix=prefix, notify="trigger"))
    names = {one["name"] for one in inspect(engine).get_indexes(f"{prefix}jobs")}
    assert f"ix_{prefix}jobs_suspect_1" in names


CHOSEN = {"notify": "trigger", "durability": "volatile", "storage": {"fillfactor": 90}}


@pytest.mark.parametrize("name", CHOSEN)
def test_a_second_call_that_says_otherwise_is_refused(name: str) -> None:
    others = {"notify": "trigger", "durability": "volatile", "storage": {"fillfactor": 80}}
    metadata = included(storage={"fillfactor": 60})
    with pytest.raises(ConfigurationError, match="called for this metadata before"):
        include_tables(metadata, **{name: others[name]})


def test_a_second_call_that_says_the_same_or_nothing_changes_nothing(engine: Engine) -> None:
    metadata = included(**CHOSEN)
    include_tables(metadata, **CHOSEN)
    include_tables(metadata)
    create_all(engine, metadata)
    assert storage(engine) == {"soniq_jobs": {**OF_JOBS, "fillfactor": "90"}, **OTHERS}
    assert persistence(engine) == VOLATILE


def test_options_may_come_with_the_second_call(engine: Engine) -> None:
    metadata = included()
    include_tables(metadata, **CHOSEN)
    create_all(engine, metadata)
    assert storage(engine) == {"soniq_jobs": {**OF_JOBS, "fillfactor": "90"}, **OTHERS}
    assert persistence(engine) == VOLATILE
