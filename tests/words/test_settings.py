"""Settings: flag over environment over ``.env`` over pyproject over default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from soniq_sa import ConfigurationError, UnknownOptionError
from soniq_sa.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = load_settings()
    assert (settings.app, settings.database_url, settings.listen_url) == (None, None, None)
    assert settings.queues is None
    assert settings.concurrency == 200
    assert settings.poll_interval == 5
    assert (settings.lease, settings.beat_every) == (15, 5)
    assert settings.rescue_interval == 1
    assert settings.drain_timeout == 30
    assert settings.job_timeout == 300


def test_each_source_wins_over_the_one_behind_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().concurrency == 200
    (folder / "pyproject.toml").write_text("[tool.soniq-sa]\nconcurrency = 1\n")
    assert load_settings().concurrency == 1
    (folder / ".env").write_text("SONIQ_SA_CONCURRENCY=2\nOTHER=1\n")
    assert load_settings().concurrency == 2
    monkeypatch.setenv("SONIQ_SA_CONCURRENCY", "3")
    assert load_settings().concurrency == 3
    assert load_settings(concurrency=4).concurrency == 4
    assert load_settings(concurrency=None).concurrency == 3


def test_pyproject_is_found_in_a_folder_above(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "pyproject.toml").write_text("[tool.soniq-sa]\npoll-interval = 2.5\n")
    below = folder / "src" / "shop"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert load_settings().poll_interval == 2.5


@pytest.mark.parametrize("key", ["poll-interval", "poll_interval"])
def test_a_key_in_pyproject_is_spelt_with_a_dash_or_an_underscore(folder: Path, key: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.soniq-sa]\n{key} = 2.5\n")
    assert load_settings().poll_interval == 2.5


def test_a_misspelt_key_in_pyproject_is_refused(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.soniq-sa]\npol-interval = 2.5\n")
    with pytest.raises(UnknownOptionError, match="Did you mean 'poll_interval'"):
        load_settings()


def test_a_misspelt_flag_is_refused() -> None:
    with pytest.raises(UnknownOptionError, match="Did you mean 'concurrency'"):
        load_settings(concurency=1)


@pytest.mark.parametrize(
    ("given", "queues"),
    [("a", ("a",)), ("a,b", ("a", "b")), (" a , b ,", ("a", "b")), ("", None), (",", None)],
)
def test_queues_are_separated_by_commas(
    given: str, queues: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SONIQ_SA_QUEUES", given)
    assert load_settings().queues == queues


def test_queues_are_a_list_in_pyproject(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.soniq-sa]\nqueues = ["a", "b"]\n')
    assert load_settings().queues == ("a", "b")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("concurrency", 0),
        ("concurrency", 10_001),
        ("concurrency", "many"),
        ("poll_interval", 0),
        ("poll_interval", -1),
        ("poll_interval", "nan"),
        ("poll_interval", "inf"),
        ("lease", 0.5),
        ("lease", "inf"),
        ("heartbeat", 0),
        ("rescue_interval", 0),
        ("drain_timeout", -1),
        ("job_timeout", -1),
        ("queues", 7),
    ],
)
def test_a_setting_outside_its_bounds_is_named(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"SONIQ_SA_{name.upper()}"):
        load_settings(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("concurrency", 1),
        ("concurrency", 10_000),
        ("lease", 1),
        ("drain_timeout", 0),
        ("job_timeout", 0),
        ("poll_interval", 0.001),
    ],
)
def test_a_setting_at_its_bounds_is_taken(name: str, value: Any) -> None:
    assert getattr(load_settings(**{name: value}), name) == value


@pytest.mark.parametrize(
    "flags", [{"heartbeat": 15}, {"heartbeat": 20}, {"lease": 1, "heartbeat": 1}]
)
def test_a_heartbeat_must_be_shorter_than_the_lease(flags: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must be shorter than lease"):
        load_settings(**flags)


def test_the_heartbeat_is_a_third_of_the_lease_where_nobody_says() -> None:
    assert load_settings(lease=6).beat_every == 2
    assert load_settings(lease=6, heartbeat=1).beat_every == 1


def test_a_password_is_not_shown() -> None:
    settings = load_settings(
        database_url="postgresql://u:hidden@h/d", listen_url="postgresql://u:hidden@h/d"
    )
    assert "hidden" not in repr(settings)
    assert "hidden" not in str(settings.model_dump())


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_can_be_given_in_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"loop": "uvloop", "guard": "false"}.get(name, "3")
    monkeypatch.setenv(f"SONIQ_SA_{name.upper()}", given)
    value = getattr(load_settings(), name)
    shown = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    assert shown in {3, given, (given,)} or (name, shown) == ("guard", False)
