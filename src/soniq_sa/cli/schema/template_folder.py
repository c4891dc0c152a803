"""The project templates for Alembic: where they live, and what each is for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from soniq_sa.cli.shipped import shipped_folder
from soniq_sa.errors import OptionError
from soniq_sa.suggestions import did_you_mean

_MARK = "alembic.ini.mako"


@dataclass(frozen=True, slots=True)
class Template:
    """One folder for ``alembic init``; its README starts with the description."""

    path: Path

    @property
    def name(self) -> str:
        """Return what ``--template`` takes."""
        return self.path.name

    @property
    def description(self) -> str:
        """Return the line that ``alembic list_templates`` would print."""
        return (self.path / "README").read_text(encoding="utf-8").partition("\n")[0]


def templates() -> list[Template]:
    """Return the templates by name."""
    return [Template(file.parent) for file in sorted(templates_folder().glob(f"*/{_MARK}"))]


def find_template(name: str, option: str) -> Template:
    """Return the template ``name``; raise `OptionError` with the nearest name if there is none."""
    found = {template.name: template for template in templates()}
    if name not in found:
        raise OptionError(
            f"{option} {name!r} is no template.{did_you_mean(name, found)} "
            f"Templates: {', '.join(found)}."
        )
    return found[name]


def templates_folder() -> Path:
    """Return the folder with the templates: of a checkout, or inside the installed wheel."""
    return shipped_folder("alembic_templates", f"async/{_MARK}")
