"""The tree of the errors, and a section for each: when it is raised, and what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import soniq_sa.errors
from soniq_sa.errors import SoniqError

from docs.src.reference.docstring import read_docstring


def error_tree() -> str:
    """Return the tree that is drawn in the module's docstring."""
    lines = (soniq_sa.errors.__doc__ or "").splitlines()
    drawn = "\n".join(line for line in lines if line.startswith("    "))
    return f"```text\n{textwrap.dedent(drawn).replace('``', '')}\n```"


def error_sections() -> str:
    """Return a section for each error; those of one kind are below the error that stands above them."""
    return "\n\n".join([*_sections(SoniqError), *map(_section, warnings())])


def warnings() -> list[type[Warning]]:
    """Return what soniq-sa only warns of."""
    return [
        one
        for one in vars(soniq_sa.errors).values()
        if isinstance(one, type) and issubclass(one, Warning)
    ]


def _sections(error: type[SoniqError]) -> Iterator[str]:
    yield _section(error)
    ours = [one for one in error.__subclasses__() if one.__module__ == soniq_sa.errors.__name__]
    for one in sorted(ours, key=lambda one: one.code):
        yield from _sections(one)


def _section(error: type[Exception]) -> str:
    code = getattr(error, "code", "")
    level = "###" if code and SoniqError not in error.__bases__ else "##"
    title = f"{level} {code} {error.__name__}" if code else f"{level} {error.__name__}"
    cause, remedy = told(error)
    return "\n\n".join([title, *cause, *([f"**What to do:** {remedy}"] if remedy else [])])


def told(error: type[Exception]) -> tuple[list[str], str]:
    """Return when an error is raised, in paragraphs, and what its docstring calls the remedy."""
    docstring = read_docstring(error)
    cause, remedy = list(docstring.blocks), docstring.entries.get("Remedy", "")
    if not remedy and cause:
        cause[-1], _, remedy = cause[-1].partition(" Remedy: ")
    return cause, remedy[:1].upper() + remedy[1:]
