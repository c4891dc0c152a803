"""The Alembic templates, through Alembic's own command line in a real project folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from alembic.command import list_templates
from alembic.config import Config

from tests.alembic_templates.project import TEMPLATES, Project

MODELS = """
from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from soniq_sa.models import JobMixin, include_tables

class Base(DeclarativeBase):
    metadata = MetaData({metadata})

class Tenant(Base):
    __tablename__ = "tenants"
    id: Mapped[int] = mapped_column(primary_key=True)

{jobs}
"""
OWN_JOB = """
class Job(JobMixin, Base):
    tenant_id: Mapped[int | None] = mapped_column(ForeignKey(Tenant.id))

include_tables(Base.metadata)
"""
OTHER_PREFIX = 'include_tables(Base.metadata, prefix="q_", notify="trigger")'
CONVENTION = 'naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s", "ix": "ix_%(column_0_label)s"}'
NAMES = ["async", "pyproject", "sync"]
EMPTY = re.compile(r"def upgrade\(\) -> None:\n    (# .*\n    )?pass\n")


@pytest.fixture(params=NAMES)
def project(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> Iterator[Project]:
    """Return a new project from each template."""
    yield from new_project(request.param, tmp_path, database_url)


@pytest.fixture
def one_project(tmp_path: Path, database_url: str) -> Iterator[Project]:
    """Return a new project from the template async."""
    yield from new_project("async", tmp_path, database_url)


@pytest.fixture
def chosen(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> Iterator[Project]:
    """Return a new project from the template that the test's parameter names."""
    yield from new_project(request.param, tmp_path, database_url)


def new_project(template: str, folder: Path, url: str) -> Iterator[Project]:
    """Make a project in ``folder``, with models of one table beside those of soniq-sa."""
    found = Project(folder, url)
    found.alembic("init", "-t", str(TEMPLATES / template), "migrations")
    (folder / "models.py").write_text(MODELS.format(metadata="", jobs=OWN_JOB))
    yield found
    found.engine.dispose()


@pytest.mark.parametrize(
    ("chosen", "schema", "convention", "prefix"),
    [
        ("async", "", "", "soniq_"),
        ("async", "", CONVENTION, "q_"),
        ("async", 'schema="app"', "", "q_"),
        ("async", 'schema="app"', CONVENTION, "soniq_"),
        ("sync", "", "", "q_"),
        ("sync", "", CONVENTION, "soniq_"),
        ("sync", 'schema="app"', "", "soniq_"),
        ("sync", 'schema="app"', CONVENTION, "q_"),
        ("pyproject", "", CONVENTION, "soniq_"),
        ("pyproject", 'schema="app"', "", "q_"),
    ],
    ids=lambda value: "convention" if value == CONVENTION else value or "default",
    indirect=["chosen"],
)
def test_a_new_project_goes_up_is_clean_and_comes_down_again(
    chosen: Project, schema: str, convention: str, prefix: str
) -> None:
    metadata = ", ".join(filter(None, [schema, convention]))
    jobs = OWN_JOB if prefix == "soniq_" else OTHER_PREFIX
    (chosen.folder / "models.py").write_text(MODELS.format(metadata=metadata, jobs=jobs))
    chosen.execute("CREATE SCHEMA app")
    before = chosen.objects()
    chosen.alembic("revision", "--autogenerate", "-m", "first")
    assert not re.search("(import|from) soniq_sa", chosen.migration("first"))
    chosen.alembic("upgrade", "head")
    tables = {f"relation {prefix}{name}" for name in ("jobs", "attempts", "workers")}
    assert tables | {"relation tenants"} <= chosen.objects()
    chosen.alembic("check")
    chosen.alembic("revision", "--autogenerate", "-m", "second")
    assert EMPTY.search(chosen.migration("second")), chosen.migration("second")
    chosen.alembic("downgrade", "base")
    assert chosen.objects() == before == set()


def test_a_migration_can_be_written_as_sql_without_a_database(project: Project) -> None:
    project.alembic("revision", "--autogenerate", "-m", "first")
    project.alembic("revision", "-m", "second")
    sql = project.alembic("upgrade", "head", "--sql", DATABASE_URL="")
    assert "CREATE TABLE soniq_jobs" in sql
    assert "WHERE state = 'queued'" in sql
    assert sql.count("COMMIT;") == 2, "a migration that failed must not undo those before it"


def test_the_plugin_compares_what_alembic_does_not_look_at(project: Project) -> None:
    project.alembic("revision", "--autogenerate", "-m", "first")
    project.alembic("upgrade", "head")
    project.execute("ALTER TABLE soniq_jobs SET (fillfactor = 33)")
    assert "fillfactor" in project.refusal("check")


def test_alembic_lists_the_templates_with_what_they_are_for() -> None:
    class OurConfig(Config):
        def get_template_directory(self) -> str:
            return str(TEMPLATES)

    listed = StringIO()
    list_templates(OurConfig(stdout=listed))
    for name in NAMES:
        assert re.search(
            rf"^{name} - (An async|A sync|As async).*\.$", listed.getvalue(), re.MULTILINE
        )


def test_an_existing_pyproject_keeps_what_it_holds(tmp_path: Path, database_url: str) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    for project in new_project("pyproject", tmp_path, database_url):
        assert (tmp_path / "pyproject.toml").read_text().startswith('[project]\nname = "shop"\n')
        assert "script_location" not in (tmp_path / "alembic.ini").read_text()
        project.alembic("revision", "--autogenerate", "-m", "first")
        assert "soniq_jobs" in project.migration("first")


def test_the_projects_differ_only_where_they_have_to() -> None:
    for file in ("env.py", "script.py.mako"):
        assert (TEMPLATES / "pyproject" / file).read_text() == (
            TEMPLATES / "async" / file
        ).read_text()
    for file in ("alembic.ini.mako", "script.py.mako"):
        assert (TEMPLATES / "sync" / file).read_text() == (TEMPLATES / "async" / file).read_text()


def test_tables_of_other_programs_in_other_schemas_are_left_alone(one_project: Project) -> None:
    models = MODELS.format(metadata='schema="app"', jobs=OWN_JOB)
    (one_project.folder / "models.py").write_text(models)
    one_project.execute("CREATE SCHEMA app")
    one_project.execute("CREATE SCHEMA theirs")
    one_project.execute("CREATE TABLE theirs.ledger (id integer)")
    one_project.alembic("revision", "--autogenerate", "-m", "first")
    assert "soniq_jobs" in one_project.migration("first")
    assert "ledger" not in one_project.migration("first")


def test_alembic_runs_from_another_folder(project: Project, tmp_path: Path) -> None:
    project.alembic("revision", "--autogenerate", "-m", "first")
    project.alembic("upgrade", "head")
    configs = [
        f"-c../{name}" for name in ("alembic.ini", "pyproject.toml") if (tmp_path / name).exists()
    ]
    project.folder = tmp_path / "migrations"
    project.alembic(*configs, "check")


@pytest.mark.parametrize(
    ("chosen", "option"), [("async", "sslmode"), ("sync", "ssl")], indirect=["chosen"]
)
def test_every_form_of_a_postgresql_url_is_taken(chosen: Project, option: str) -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg2", "postgresql+asyncpg"):
        url = chosen.engine.url.set(drivername=scheme).update_query_dict({option: "disable"})
        chosen.alembic("current", DATABASE_URL=url.render_as_string(hide_password=False))


def test_the_url_in_the_configuration_is_used_where_no_variable_is_set(project: Project) -> None:
    url = project.engine.url.render_as_string(hide_password=False)
    ini = project.folder / "alembic.ini"
    text = ini.read_text().replace("sqlalchemy.url =", f"sqlalchemy.url = {url.replace('%', '%%')}")
    ini.write_text(text)
    project.alembic("upgrade", "head", DATABASE_URL="")


WRONG_URLS = {
    "": "No database is given. Set the environment variable DATABASE_URL, or sqlalchemy.url",
    "no url": "The database URL cannot be read. Write it as postgresql://",
    "postgresql://host:port/shop": "The database URL cannot be read. Write it as postgresql://",
    "sqlite:///shop.db": "'sqlite:///shop.db' is not for PostgreSQL",
    "mysql://me:secret@host/shop": "'mysql://me:***@host/shop' is not for PostgreSQL",
}


@pytest.mark.parametrize("chosen", ["async", "sync"], indirect=True)
def test_a_wrong_url_is_explained(chosen: Project) -> None:
    for url, said in WRONG_URLS.items():
        told = chosen.refusal("current", DATABASE_URL=url)
        assert said in told
        assert "secret" not in told


WRONG_PLACES = {
    "": "has metadata = ''. Write where the metadata of your models is, as models:Base.metadata",
    "models": "has metadata = 'models'. Write where",
    "modles:Base.metadata": "there is no module 'modles'. Correct the name, or add the folder",
    "models.shop:Base.metadata": "there is no module 'models.shop'",
    "models:Bse.metadata": "has no 'Bse'",
    "models:Base": "which is no MetaData. Write models:Base.metadata.",
}


@pytest.mark.parametrize(
    ("chosen", "name"),
    [("pyproject", "pyproject.toml"), ("sync", "alembic.ini")],
    indirect=["chosen"],
)
def test_a_metadata_that_is_not_there_is_explained(chosen: Project, name: str) -> None:
    config = chosen.folder / name
    text = config.read_text()
    for place, said in WRONG_PLACES.items():
        config.write_text(text.replace("models:Base.metadata", place))
        assert said in chosen.refusal("current")


def test_an_error_inside_the_models_is_shown_with_its_place(one_project: Project) -> None:
    (one_project.folder / "models.py").write_text("import json\nimport not_there_at_all\n")
    done = one_project.run("current")
    assert done.returncode != 0
    assert 'models.py", line 2' in done.stderr
    assert "No module named 'not_there_at_all'" in done.stderr


def test_a_metadata_without_the_tables_of_soniq_sa_is_no_error(one_project: Project) -> None:
    (one_project.folder / "models.py").write_text(
        MODELS.format(metadata="", jobs="").replace(
            "include_tables\n", "include_tables  # unused\n"
        )
    )
    one_project.alembic("revision", "--autogenerate", "-m", "first")
    one_project.alembic("upgrade", "head")
    assert {name for name in one_project.objects() if name.startswith("relation ")} == {
        "relation tenants",
        "relation tenants_id_seq",
        "relation tenants_pkey",
    }
    one_project.alembic("check")
