"""The example is found, runs by itself, and its migration is the shop's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from soniq_sa.cli.demo import example
from soniq_sa.cli.shipped import NotShippedError

SHOP = example.examples_folder() / "shop"


def alembic(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(SHOP / "alembic.ini"), *arguments],
        env=example.environment(url),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_example_is_found_beside_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "site-packages" / "soniq_sa"
    installed = package / "examples" / "shop"
    installed.mkdir(parents=True)
    monkeypatch.setattr("soniq_sa.__file__", str(package / "__init__.py"))
    with pytest.raises(NotShippedError, match="is in none of"):
        example.examples_folder()
    (installed / "alembic.ini").touch()
    assert example.examples_folder() == installed.parent


def test_settings_of_other_applications_do_not_reach_the_shop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SONIQ_SA_QUEUES", "somebody,elses")
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody/elses")
    monkeypatch.setenv("PYTHONPATH", f"relative{os.pathsep}")
    found = example.environment("postgresql://the/demos")
    assert "SONIQ_SA_QUEUES" not in found
    assert found["DATABASE_URL"] == found["SONIQ_SA_DATABASE_URL"] == "postgresql://the/demos"
    assert found["PYTHONPATH"].split(os.pathsep) == [
        str(example.examples_folder()),
        str(Path.cwd() / "relative"),
    ]


def test_a_second_autogenerate_finds_nothing(shop_database: str) -> None:
    check = alembic(shop_database, "check")
    assert check.returncode == 0, check.stdout + check.stderr


def test_the_migration_goes_down_and_up_again(shop_database: str) -> None:
    for arguments in (["downgrade", "base"], ["upgrade", "head"]):
        step = alembic(shop_database, *arguments)
        assert step.returncode == 0, step.stderr


def test_the_migration_imports_nothing_of_soniq_sa() -> None:
    revisions = list((SHOP / "migrations" / "versions").glob("*.py"))
    assert revisions
    for revision in revisions:
        assert "soniq_sa" not in revision.read_text(encoding="utf-8")
