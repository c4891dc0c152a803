"""Where the metadata of the user's models is: ``module:attribute``."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass

from sqlalchemy import MetaData

from soniq_sa.cli.importing import import_module, look_here_first
from soniq_sa.errors import OptionError
from soniq_sa.suggestions import did_you_mean

DEFAULT = "models:Base.metadata"


@dataclass(frozen=True, slots=True)
class MetadataPlace:
    """A module, and the attributes that lead from it to the metadata."""

    module: str
    attributes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.module}:{'.'.join(self.attributes)}"

    def load(self) -> MetaData:
        """Import the metadata; the working directory comes first on the import path.

        What the module prints goes to stderr. Raises `OptionError`, which says what is missing.
        """
        look_here_first()
        with contextlib.redirect_stdout(sys.stderr):
            found: object = import_module(self.module, f"--metadata {str(self)!r}", OptionError)
        for name in self.attributes:
            if not hasattr(found, name):
                raise OptionError(
                    f"--metadata {str(self)!r}: {found!r} has no {name!r}."
                    f"{did_you_mean(name, dir(found))}"
                )
            found = getattr(found, name)
        if not isinstance(found, MetaData):
            hint = f" Write {self}.metadata." if hasattr(found, "metadata") else ""
            raise OptionError(f"--metadata {str(self)!r} is {found!r}, which is no MetaData.{hint}")
        return found


def parse_place(text: str) -> MetadataPlace:
    """Return what ``text`` says; raise `OptionError` if it has another form."""
    module, _, path = text.partition(":")
    names = [*module.split("."), *path.split(".")]
    if not all(name.isidentifier() for name in names):
        raise OptionError(
            f"--metadata {text!r} has another form than module:attribute, as {DEFAULT}."
        )
    return MetadataPlace(module, tuple(path.split(".")))
