"""What ``soniq-sa schema templates`` prints."""

import json
from pathlib import Path

from soniq_sa.cli.shipped import shipped_folder
from tests.alembic_templates.project import TEMPLATES, Project
from tests.cli.commands import soniq_sa

NAMES = ["async", "pyproject", "sync"]


def test_each_template_is_listed_with_its_description_and_its_folder(tmp_path: Path) -> None:
    done = soniq_sa(tmp_path, "schema", "templates")
    assert (done.returncode, done.stderr) == (0, "")
    for name in NAMES:
        assert (TEMPLATES / name / "README").read_text().splitlines()[0] in done.stdout
        assert f"{shipped_folder('alembic_templates', 'async/env.py') / name}\n" in done.stdout
    assert 'alembic init -t "$(soniq-sa schema templates --path async)" migrations' in done.stdout


def test_json_is_one_document(tmp_path: Path) -> None:
    done = soniq_sa(tmp_path, "schema", "templates", "--json")
    documents = json.loads(done.stdout)
    assert [one["name"] for one in documents] == NAMES
    assert all(Path(one["path"]).is_absolute() and one["description"] for one in documents)


def test_the_path_of_a_template_is_what_alembic_takes(tmp_path: Path, database_url: str) -> None:
    done = soniq_sa(tmp_path, "schema", "templates", "--path", "sync")
    project = Project(tmp_path, database_url)
    project.alembic("init", "-t", done.stdout.rstrip("\n"), "migrations")
    assert (tmp_path / "migrations" / "env.py").read_text() == (
        TEMPLATES / "sync" / "env.py"
    ).read_text()
    project.engine.dispose()


def test_a_misspelt_name_gets_a_suggestion(tmp_path: Path) -> None:
    done = soniq_sa(tmp_path, "schema", "templates", "--path", "asnc")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Did you mean 'async'? Templates: async, pyproject, sync." in done.stderr


def test_the_command_of_the_help_is_the_command_that_works(tmp_path: Path) -> None:
    done = soniq_sa(tmp_path, "schema", "templates", "--help")
    assert 'alembic init -t "$(soniq-sa schema templates --path async)" migrations' in done.stdout
