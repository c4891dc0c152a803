"""Compares SQL of the models with what PostgreSQL made of it."""

from __future__ import annotations

import re

_CAST = re.compile(r"::\s*[a-z_]+(?: varying)?(?:\[\])?")
_ANY = re.compile(r"= any array\[(.*?)\]")
_PUNCTUATION = re.compile(r"\s*([,()\[\]=<>]+)\s*")


def same_expression(ours: str, theirs: str) -> bool:
    """Tell whether two conditions mean the same, up to what PostgreSQL rewrites.

    It adds casts and parentheses, and turns ``x IN (...)`` into ``x = ANY (ARRAY[...])``.
    """
    return _canonical(ours) == _canonical(theirs)


def same_body(ours: str, theirs: str) -> bool:
    """Tell whether two bodies of functions are the same; Alembic indents them anew."""
    return ours.split() == theirs.split()


def _canonical(condition: str) -> str:
    text = " ".join(_CAST.sub("", condition.lower()).split())
    text = text.replace("(", " ").replace(")", " ")
    text = _ANY.sub(r"in \1", " ".join(text.split()))
    return _PUNCTUATION.sub(r"\1", text)
