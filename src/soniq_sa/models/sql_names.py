"""Names as they stand in SQL text."""

from __future__ import annotations

import re

from sqlalchemy.dialects import postgresql

_preparer = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]

_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")


def quoted(name: str) -> str:
    """Return a name, in quotes if PostgreSQL needs them."""
    return str(_preparer.quote(name)).replace("%%", "%")


def qualified(name: str, schema: str | None) -> str:
    """Return the name of something in a schema; without one, PostgreSQL's search path decides."""
    return f"{quoted(schema)}.{quoted(name)}" if schema else quoted(name)


def without_parameters(sql: str) -> str:
    """Return SQL for ``text()`` in which no name looks like a parameter, as ``:name``."""
    return _PARAMETER.sub(r"\\:", sql)


def dollar_quoted(body: str) -> str:
    """Return ``body`` as a string in dollar quotes, whatever it holds."""
    tag = "soniq_sa"
    while f"${tag}$" in body:
        tag = f"{tag}_"
    return f"${tag}${body}${tag}$"
