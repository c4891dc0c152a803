"""Where the env.py of the Alembic project in this folder is, if there is one."""

from __future__ import annotations

import configparser
import os
import tomllib
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from soniq_sa.cli.schema.init_failure import InitFailedError

USUAL_FOLDER = Path("migrations")
_BROKEN = (CommandError, configparser.Error, ImportError, tomllib.TOMLDecodeError, ValueError)


def find_env(directory: Path | None) -> Path | None:
    """Return the env.py in ``directory``, else that of the project here; None if there is none."""
    folder = directory or USUAL_FOLDER
    config = config_of(Path())
    if directory is not None and _env_in(directory):
        return directory / "env.py"
    if directory is not None and script_location(config_of(directory)):
        return _configured_env(config_of(directory))
    location = script_location(config)
    if location is None:
        return folder / "env.py" if _env_in(folder) else None
    if directory is None:
        return _configured_env(config)
    raise InitFailedError(
        f"{directory} has no env.py, and this folder has an Alembic project already: its "
        f"script_location is {location!r}. Leave out {str(directory)!r} to add soniq-sa to that "
        "project."
    )


def config_of(folder: Path) -> Config:
    """Return Alembic's configuration of ``folder``, with the files that its own command reads."""
    ini, toml = "alembic.ini", "pyproject.toml"
    given = os.environ.get("ALEMBIC_CONFIG")
    if given and folder == Path():
        if Path(given).name == toml:
            toml = given
        else:
            ini = given
    return Config(file_=str(folder / ini), toml_file=str(folder / toml))


def script_location(config: Config) -> str | None:
    """Return what the configuration says; raise `InitFailedError` if it cannot be read."""
    try:
        return config.get_alembic_option("script_location")
    except _BROKEN as error:
        toml = isinstance(error, tomllib.TOMLDecodeError)
        name = config.toml_file_name if toml else config.config_file_name
        raise InitFailedError(
            f"Alembic's configuration cannot be read ({name}): {error}"
        ) from error


def _env_in(folder: Path) -> bool:
    return (folder / "env.py").is_file()


def _configured_env(config: Config) -> Path:
    try:
        env = Path(ScriptDirectory.from_config(config).env_py_location)
    except _BROKEN as error:
        raise InitFailedError(
            f"The script_location of the Alembic project here cannot be used: {error} Say where env.py "
            "is: soniq-sa schema init FOLDER."
        ) from error
    if not env.is_file():
        raise InitFailedError(
            f"Alembic's script_location has no env.py: {env}. Say where it is: soniq-sa schema init "
            "FOLDER."
        )
    return env
