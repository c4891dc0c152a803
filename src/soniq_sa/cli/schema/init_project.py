"""A new Alembic project from one of the templates, made by Alembic itself."""

from __future__ import annotations

import contextlib
import io
import tomllib
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from soniq_sa.cli.schema.env_search import config_of, script_location
from soniq_sa.cli.schema.init_failure import InitFailedError
from soniq_sa.cli.schema.init_metadata import DEFAULT, MetadataPlace
from soniq_sa.cli.schema.template_folder import Template, templates_folder

_TOML = "pyproject.toml.mako"


@dataclass(frozen=True, slots=True)
class NewProject:
    """What was made."""

    directory: Path
    template: str
    metadata: MetadataPlace
    config: Path
    created: tuple[Path, ...]
    appended: tuple[Path, ...]


class _OurConfig(Config):
    def get_template_directory(self) -> str:
        return str(templates_folder())


def make_project(directory: Path, template: Template, place: MetadataPlace) -> NewProject:
    """Make an Alembic project in ``directory``, with its configuration in the working directory.

    Raises `InitFailedError` before anything is written if something is there already.
    """
    found = config_of(Path())
    config = _OurConfig(file_=found.config_file_name, toml_file=found.toml_file_name)
    ini, toml = Path(config.config_file_name or ""), Path(config.toml_file_name or "")
    in_toml = (template.path / _TOML).is_file()
    _refuse_what_is_there(directory, config, in_toml=in_toml)
    before = {path for path in (ini, toml) if path.exists()}
    _run_alembic(config, directory, template)
    written = toml if in_toml else ini
    _write_place(written, place)
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return NewProject(
        directory=directory,
        template=template.name,
        metadata=place,
        config=written,
        created=(*({ini, written} - before), *files),
        appended=(written,) if written in before else (),
    )


def _refuse_what_is_there(directory: Path, config: Config, *, in_toml: bool) -> None:
    again = "Leave out --template to add soniq-sa to it"
    if location := script_location(config):
        raise InitFailedError(
            f"There is an Alembic project here already: its script_location is {location!r}. {again}."
        )
    ini = Path(config.config_file_name or "")
    if ini.exists() and not in_toml:
        raise InitFailedError(
            f"{ini} exists, and its [alembic] has no script_location. Name the folder with your env.py: "
            f"soniq-sa schema init FOLDER. For a new project, remove {ini} first."
        )
    if in_toml and config.toml_alembic_config:
        raise InitFailedError(
            f"{config.toml_file_name} has a [tool.alembic] already, without script_location, and Alembic "
            "would leave it as it is. Remove that table first."
        )
    if directory.is_dir() and any(directory.iterdir()):
        hint = f" {again}." if (directory / "env.py").is_file() else ""
        raise InitFailedError(
            f"{directory} exists and is not empty.{hint or ' Name another folder.'} Nothing was changed."
        )
    if directory.exists() and not directory.is_dir():
        raise InitFailedError(f"{directory} is a file. Name another folder.")


def _run_alembic(config: Config, directory: Path, template: Template) -> None:
    """Let Alembic make the files; what it says about them is said by the caller."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            command.init(config, str(directory), template=template.name)
    except (CommandError, tomllib.TOMLDecodeError) as error:
        raise InitFailedError(f"Alembic could not make the project: {error}") from error
    except OSError as error:
        raise InitFailedError(
            f"The project cannot be written: {error.filename or directory}: {error.strerror}."
        ) from error


def _write_place(config: Path, place: MetadataPlace) -> None:
    """Put ``place`` where the template says the default; behind what a pyproject.toml had before."""
    before, found, after = config.read_bytes().rpartition(DEFAULT.encode())
    if found:
        config.write_bytes(before + str(place).encode() + after)
