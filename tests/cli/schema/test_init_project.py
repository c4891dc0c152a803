"""``soniq-sa schema init`` in a folder without Alembic: a new project."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alembic_templates.project import Project
from tests.cli.commands import soniq_sa
from tests.cli.schema.environments import MODELS

OK, FAILED, USAGE = 0, 1, 2


@pytest.fixture
def project(tmp_path: Path, database_url: str) -> Iterator[Project]:
    """Return a folder with models and without Alembic."""
    (tmp_path / "models.py").write_text(MODELS)
    found = Project(tmp_path, database_url)
    yield found
    found.engine.dispose()


def refusal(folder: Path, *arguments: str, code: int = FAILED) -> str:
    """Run the command with something in the way; return what it says, once nothing was written."""
    before = sorted(folder.rglob("*"))
    done = soniq_sa(folder, "schema", "init", *arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert sorted(folder.rglob("*")) == before
    return done.stderr


@pytest.mark.parametrize("template", ["async", "sync", "pyproject"])
def test_a_new_project_goes_up_is_clean_and_comes_down(project: Project, template: str) -> None:
    done = soniq_sa(project.folder, "schema", "init", "--template", template)
    assert (done.returncode, done.stderr) == (OK, "")
    project.alembic("revision", "--autogenerate", "-m", "first")
    project.alembic("upgrade", "head")
    assert "relation soniq_jobs" in project.objects()
    project.alembic("check")
    project.alembic("downgrade", "base")
    assert project.objects() == set()


def test_what_was_made_and_what_comes_next_is_said(project: Project) -> None:
    done = soniq_sa(project.folder, "schema", "init")
    assert "from the template async" in done.stdout
    for part in ("alembic.ini", "migrations/env.py", "migrations/script.py.mako"):
        assert f"  {part}\n" in done.stdout
        assert (project.folder / part).is_file()
    steps = [
        "include_tables(Base.metadata)",
        "DATABASE_URL=",
        "--autogenerate",
        "alembic upgrade head",
    ]
    places = [done.stdout.index(step) for step in steps]
    assert places == sorted(places)
    assert "Creating directory" not in done.stdout


@pytest.mark.parametrize("template", ["async", "pyproject"])
def test_the_metadata_and_the_folder_are_those_that_were_given(
    project: Project, template: str
) -> None:
    (project.folder / "models.py").rename(project.folder / "tables.py")
    done = soniq_sa(
        *(project.folder, "schema", "init", "db/changes"),
        *("--template", template, "--metadata", "tables:Base.metadata"),
    )
    assert done.returncode == OK, done.stderr
    assert "End the module tables with include_tables(Base.metadata)" in done.stdout
    project.alembic("revision", "--autogenerate", "-m", "first")
    (migration,) = (project.folder / "db" / "changes" / "versions").glob("*.py")
    assert "soniq_jobs" in migration.read_text()


def test_an_existing_pyproject_is_appended_to(project: Project) -> None:
    before = '[project]\nname = "shop"\ndescription = "models:Base.metadata"'
    toml = project.folder / "pyproject.toml"
    toml.write_text(before)
    done = soniq_sa(
        *(project.folder, "schema", "init", "--template", "pyproject"),
        *("--metadata", "shop.models:metadata"),
    )
    assert "pyproject.toml (added [tool.alembic])" in done.stdout
    assert toml.read_text().startswith(f"{before}\n")
    assert tomllib.loads(toml.read_text())["tool"]["alembic"]["metadata"] == "shop.models:metadata"


def test_json_is_one_document_and_nothing_else(project: Project) -> None:
    (project.folder / "pyproject.toml").write_text("")
    done = soniq_sa(project.folder, "schema", "init", "--template", "pyproject", "--json")
    document = json.loads(done.stdout)
    assert document["written"] is True
    assert document["template"] == "pyproject"
    assert document["config"] == "pyproject.toml"
    assert document["appended"] == ["pyproject.toml"]
    assert "migrations/env.py" in document["created"]
    assert all((project.folder / path).is_file() for path in document["created"])


def test_the_second_run_finds_nothing_to_do(project: Project) -> None:
    soniq_sa(project.folder, "schema", "init")
    done = soniq_sa(project.folder, "schema", "init")
    assert done.returncode == OK
    assert done.stdout == "migrations/env.py has the plugin of soniq-sa: nothing to change.\n"


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "001.sql").touch()
    assert "migrations exists and is not empty. Name another folder." in refusal(tmp_path)


def test_a_file_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "migrations").touch()
    assert "migrations is a file. Name another folder." in refusal(tmp_path)


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    assert soniq_sa(tmp_path, "schema", "init").returncode == OK


def test_a_template_is_refused_where_alembic_is_already(tmp_path: Path) -> None:
    soniq_sa(tmp_path, "schema", "init")
    told = refusal(tmp_path, "--template", "sync")
    assert "an Alembic project here already" in told
    assert "Leave out --template" in told


def test_another_folder_is_refused_where_alembic_is_already(tmp_path: Path) -> None:
    soniq_sa(tmp_path, "schema", "init")
    told = refusal(tmp_path, "other")
    assert "an Alembic project already" in told
    assert "Leave out 'other'" in told


def test_a_configuration_that_alembic_would_keep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "alembic.ini").write_text("[loggers]\n")
    assert "alembic.ini exists, and its [alembic] has no script_location" in refusal(tmp_path)
    (tmp_path / "alembic.ini").unlink()
    (tmp_path / "pyproject.toml").write_text("[tool.alembic]\nsourceless = true\n")
    assert "has a [tool.alembic] already" in refusal(tmp_path, "--template", "pyproject")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "[tool"),
        ("alembic.ini", "no section"),
        ("alembic.ini", "[alembic]\nscript_location = %(no)s"),
    ],
)
def test_a_broken_configuration_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert f"Alembic's configuration cannot be read ({name}" in refusal(tmp_path)


def test_a_misspelt_template_gets_a_suggestion(tmp_path: Path) -> None:
    told = refusal(tmp_path, "--template", "pyprojekt", code=USAGE)
    assert "Did you mean 'pyproject'?" in told


@pytest.mark.parametrize("place", ["models", "a:b:c", "my-models:Base"])
def test_another_form_of_metadata_is_refused(tmp_path: Path, place: str) -> None:
    told = refusal(tmp_path, "--metadata", place, code=USAGE)
    assert f"--metadata {place!r} has another form than module:attribute" in told
