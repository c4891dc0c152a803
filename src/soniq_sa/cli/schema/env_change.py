"""What has to change in an env.py so that Alembic compares the tables of soniq-sa with the plugin."""

from __future__ import annotations

import ast
import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import MetaData

from soniq_sa.cli.schema.env_file import EnvFile, shown
from soniq_sa.cli.schema.env_metadata import (
    is_empty_dict,
    is_none,
    set_metadata,
    target_values,
)
from soniq_sa.cli.schema.env_plugins import (
    LIST,
    ByHand,
    add_plugin,
    configure_calls,
    keyword_value,
)
from soniq_sa.cli.schema.env_source import Edit, Source
from soniq_sa.cli.schema.init_failure import InitFailedError
from soniq_sa.cli.schema.init_metadata import MetadataPlace
from soniq_sa.models.roles import registered

_ADD = f"autogenerate_plugins={LIST}"
_NO_NEWLINE = "\n\\ No newline at end of file\n"
_NONE = (
    "target_metadata is None (line {line}): autogenerate has no models to compare. Set it to the "
    "metadata of your models, or say where that is: --metadata models:Base.metadata"
)
_EMPTY = (
    "target_metadata is an empty dictionary (line {line}). Put the metadata with the tables of "
    "soniq-sa into it, under the name of its database."
)


@dataclass(frozen=True, slots=True)
class EnvChange:
    """The new text, what a person has to do instead, and what is worth knowing."""

    file: EnvFile
    text: str
    by_hand: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def shown_path(self) -> str:
        """Return the path of the file, from the working directory if it is below."""
        return shown(self.file.path)

    @property
    def diff(self) -> str:
        """Return a unified diff with plain line ends; empty if nothing changes."""
        lines = difflib.unified_diff(
            _lines(self.file.text),
            _lines(self.text),
            f"a/{self.shown_path}",
            f"b/{self.shown_path}",
        )
        return "".join(line if line.endswith("\n") else f"{line}{_NO_NEWLINE}" for line in lines)

    def write(self) -> None:
        """Write the new text."""
        self.file.write(self.text)


def env_change(path: Path, place: MetadataPlace | None) -> EnvChange:
    """Read ``path``, and return what to change in it.

    place: Where the metadata is, if the user said it: it is imported, and put in place of None.
    """
    file = EnvFile.read(path)
    source = _parse(file)
    calls = configure_calls(source.tree)
    if not calls:
        raise InitFailedError(
            f"{shown(path)} has no call of context.configure(...): it is somewhere else. Add there by "
            f"hand: {_ADD}"
        )
    edits, by_hand = _plugin_edits(source, calls, shown(path))
    notes = []
    if place is not None:
        notes += _notes_on(place.load(), place, calls)
    more, note = _metadata_edits(source, calls, place)
    return EnvChange(
        file=file,
        text=_checked(source.edited([*edits, *more]), path),
        by_hand=tuple(by_hand),
        notes=(*notes, *note),
    )


def _parse(file: EnvFile) -> Source:
    try:
        return Source(file.text)
    except SyntaxError as error:
        raise InitFailedError(
            f"{shown(file.path)} is no valid Python, so nothing was changed: {error.msg} "
            f"(line {error.lineno}). Correct it, and run the command again."
        ) from error
    except ValueError as error:
        raise InitFailedError(
            f"{shown(file.path)} is no valid Python, so nothing was changed: {error}."
        ) from error


def _plugin_edits(source: Source, calls: list[ast.Call], name: str) -> tuple[list[Edit], list[str]]:
    edits: list[Edit] = []
    by_hand: list[str] = []
    for call in calls:
        found = add_plugin(source, call)
        if isinstance(found, ByHand):
            by_hand.append(f"{name}, line {found.line}: {found.text}.")
        else:
            edits += found
    return edits, list(dict.fromkeys(by_hand))


def _metadata_edits(
    source: Source, calls: list[ast.Call], place: MetadataPlace | None
) -> tuple[list[Edit], list[str]]:
    values = target_values(source.tree, calls)
    nones = [value for value in values if is_none(value)]
    empty = next((value for value in values if is_empty_dict(value)), None)
    if nones and place is not None:
        return set_metadata(source, nones, place), []
    if nones:
        return [], [_NONE.format(line=nones[0].lineno)]
    if empty is not None:
        return [], [_EMPTY.format(line=empty.lineno)]
    if place is not None and values:
        return [], [
            f"target_metadata is {ast.unparse(values[0])} already; --metadata {place} replaces only None."
        ]
    return [], []


def _notes_on(metadata: MetaData, place: MetadataPlace, calls: list[ast.Call]) -> list[str]:
    notes = []
    if not registered(metadata):
        notes.append(
            f"{place} holds no table of soniq-sa: write include_tables({place.attributes[-1]}) as the "
            f"last line of {place.module}."
        )
    schemas = sorted({table.schema for table in metadata.tables.values() if table.schema})
    if schemas and not any(keyword_value(call, "include_schemas") for call in calls):
        notes.append(
            f"{place} has tables in the schema {', '.join(map(repr, schemas))}. Add include_schemas=True "
            "to context.configure(...), else autogenerate takes these tables for new each time."
        )
    return notes


def _checked(text: str, path: Path) -> str:
    """Return ``text`` if it is Python in which nothing is left to add."""
    try:
        source = Source(text)
    except (SyntaxError, ValueError):
        source = None
    if source is None or any(
        add_plugin(source, call) and not isinstance(add_plugin(source, call), ByHand)
        for call in configure_calls(source.tree)
    ):
        raise InitFailedError(
            f"{shown(path)} is written in a way that this command cannot edit. Add by hand to each "
            f"call of context.configure(...): {_ADD}"
        )
    return text


def _lines(text: str) -> list[str]:
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.findall(r"[^\n]*\n|[^\n]+", plain)
