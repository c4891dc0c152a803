"""Where the application is looked for, and what is said when it is not there."""

from pathlib import Path

import pytest

from tests.cli.commands import APP, soniq_sa

USAGE = 2


def refusal(folder: Path, *arguments: str, **environment: str) -> str:
    """Run the worker with something wrong and return what it says: one error, and no traceback."""
    done = soniq_sa(folder, "worker", *arguments, **environment)
    assert done.returncode == USAGE, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    return done.stderr


def test_without_an_app_it_is_said_what_was_tried(folder: Path) -> None:
    told = refusal(folder)
    assert "Tried in" in told
    assert str(folder) in told
    for module in ("app", "main", "jobs"):
        assert f"{module} (no such module)" in told
    assert "--app module:attribute" in told
    assert "SONIQ_SA_APP" in told
    assert "Traceback" not in told


def test_a_module_without_an_app_is_not_taken_for_one(folder: Path) -> None:
    (folder / "main.py").write_text("number = 7\n")
    assert "main (no Soniq in " in refusal(folder)


def test_a_wrong_module_is_named_with_the_folder(folder: Path) -> None:
    told = refusal(folder, "--app", "shop.job:soniq")
    assert "no module 'shop.job'" in told
    assert str(folder) in told
    assert "Traceback" not in told


def test_a_wrong_attribute_gets_a_suggestion(folder: Path) -> None:
    told = refusal(folder, "--app", "shop.jobs:sonik")
    assert "no 'sonik'" in told
    assert "Did you mean 'soniq'?" in told
    assert "Traceback" not in told


def test_something_else_than_an_app_is_refused_and_the_app_beside_it_shown(folder: Path) -> None:
    told = refusal(folder, "--app", "shop.jobs:number")
    assert "is a int, not a Soniq" in told or "is an int, not a Soniq" in told
    assert "shop.jobs:soniq" in told


def test_another_form_is_refused(folder: Path) -> None:
    for wrong in (":soniq", "shop.jobs:a:b"):
        assert "module:attribute" in refusal(folder, "--app", wrong)


def test_a_module_that_misses_an_import_shows_where(folder: Path) -> None:
    (folder / "broken.py").write_text("import json\nimport not_there_at_all\n")
    told = refusal(folder, "--app", "broken:soniq")
    assert "not_there_at_all" in told
    assert "broken.py" in told
    assert "line 2" in told


@pytest.mark.parametrize("error", ["raise ValueError('the settings are wrong')", "1 / 0", "x ="])
def test_a_module_that_raises_shows_where(folder: Path, error: str) -> None:
    (folder / "broken.py").write_text(f"import json\n{error}\n")
    done = soniq_sa(folder, "worker", "--app", "broken:soniq")
    assert done.returncode in {1, USAGE}
    assert "broken.py" in done.stderr
    assert "line 2" in done.stderr
    assert "Error" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("way", ["argument", "environment", "pyproject", ".env", "usual name"])
def test_the_app_is_found_in_every_way_that_the_help_names(folder: Path, way: str) -> None:
    """That it was found shows by what is missing next: the database."""
    arguments, environment = [], {}
    match way:
        case "argument":
            arguments = ["--app", "shop.jobs:soniq"]
        case "environment":
            environment = {"SONIQ_SA_APP": "shop.jobs:soniq"}
        case "pyproject":
            (folder / "pyproject.toml").write_text('[tool.soniq-sa]\napp = "shop.jobs:soniq"\n')
        case ".env":
            (folder / ".env").write_text("SONIQ_SA_APP=shop.jobs:soniq\n")
        case "usual name":
            (folder / "jobs.py").write_text(APP)
    assert "No database is given" in refusal(folder, *arguments, **environment)
